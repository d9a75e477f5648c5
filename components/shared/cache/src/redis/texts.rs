//! The texts of the scripts, each with the SHA-1 by which Redis finds it again.

/// The text of a script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Text {
    /// In Lua.
    pub source: &'static str,
    /// The SHA-1 of the source, in hexadecimal: what `EVALSHA` names. A test holds it to the source.
    pub sha1: &'static str,
}

macro_rules! texts {
    ($($name:ident: $file:literal, $sha1:literal;)*) => {
        $(pub const $name: Text = Text { source: include_str!($file), sha1: $sha1 };)*
        #[cfg(test)]
        const ALL: &[Text] = &[$($name),*, ONLY_DELETE];
    };
}

texts! {
    CHECK_COMMANDS: "scripts/check_commands.lua", "a24cf4e398e056b430e2210df45fd3489fa3c69a";
    COUNT: "scripts/count.lua", "141e0c56b7637f3ecd469009ca817aa47b4659d2";
    DISCARD: "scripts/discard.lua", "010e5c8a2eeac253467aab1a35bb29c6fbe0f3c0";
    FENCE: "scripts/fence.lua", "6a6c9cf55a2cfaedeb4411dab79b769ae2adb851";
    FILL: "scripts/fill.lua", "fa3787a475d5f734676ba9e356b4bf39b43efcf4";
    LEASE: "scripts/lease.lua", "1ed0155bfa99e2faa15de780f9074f5479566252";
    LOG_DEMAND: "scripts/log_demand.lua", "0625ecf61bae207ff2b43f6de79cf51fa3e583dc";
    LOG_DONE: "scripts/log_done.lua", "0ea844a444ddc4e2405c5834130a7adedcb755a5";
    LOG_FORGET: "scripts/log_forget.lua", "f2445667a0fd5e915bfd00ed4d18834184774d41";
    LOG_STATE: "scripts/log_state.lua", "f705c15bbb05448aac88e5538e55130dc233af42";
    LOOKUP: "scripts/lookup.lua", "deb1b64eb8eb5e263cd10f50fae9d719cd94dba7";
    PAGE: "scripts/page.lua", "f76a3fac14e6fd5af1b907d1d1b445f55f7aed29";
    REFENCE: "scripts/refence.lua", "93140ae4241067283e9b99a204a1784f566501c5";
    SIGHT: "scripts/sight.lua", "e01785f23e9a7af89e8cdda8f55f6ebf31b62205";
    UNFENCE: "scripts/unfence.lua", "d27749077422325ea9381f46a2c7b366bd686ccf";
}

/// What a write without a fence sends in place of [`UNFENCE`]: the naive build that the history checker must catch.
pub const ONLY_DELETE: Text = Text {
    source: "for i = 1, #KEYS - 1, 2 do redis.call('DEL', KEYS[i]) end return {'fenced', '0'}",
    sha1: "8d6fe8a474743fe5deff7be88035dd9e82aeeacd",
};

#[cfg(test)]
mod tests {
    use super::*;
    use sha1::{Digest, Sha1};

    #[test]
    fn redis_finds_each_script_by_its_sha1() {
        for text in ALL {
            let sha1: String = Sha1::digest(text.source).iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(text.sha1, sha1, "{}", text.source);
        }
    }
}
