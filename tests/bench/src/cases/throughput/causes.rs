//! Why a cached GET takes more of the processor than the native peer's: differences between subjects of one run, by cause.

use serde_json::json;

use crate::measure::{Series, Spread};
use crate::process::Cpu;
use crate::report::Section;

/// Which modes of the processor's time.
const MODES: [fn(Cpu) -> f64; 3] = [|cpu| cpu.user, |cpu| cpu.kernel, Cpu::both];

/// The table: what a request of each takes of its server's processor time, and what one takes beyond another.
pub fn section(floor: &Series, one_get: &Series, cached: &Series, peer: &Series) -> Section {
    let platform = beyond(floor, peer);
    let calls = beyond(one_get, floor);
    let ours = beyond(cached, one_get);
    let gap = beyond(cached, peer);
    let rows = [
        ("floor", MODES.map(|of| floor.server_cpu(of))),
        ("one GET of Redis", MODES.map(|of| one_get.server_cpu(of))),
        ("cached property", MODES.map(|of| cached.server_cpu(of))),
        ("native peer", MODES.map(|of| peer.server_cpu(of))),
        ("wasmtime and the host: floor − peer", platform),
        ("host calls for Redis: one GET − floor", calls),
        ("ours: cached property − one GET", ours),
        ("the gap: cached property − peer", gap),
    ];
    let cell = |spread: &Spread| format!("{:.1}", spread.median);
    let row = |(name, [user, kernel, both]): &(&str, [Spread; 3])| {
        let range = format!("{:.1} – {:.1}", both.min, both.max);
        vec![(*name).to_owned(), cell(user), cell(kernel), cell(both), range]
    };
    let header = ["", "user (µs)", "kernel (µs)", "both (µs)", "min – max"].map(str::to_owned).to_vec();
    let title = "Processor time of the server for a request, beside the native peer's, sixteen clients";
    let mut section = Section::new(title, header, rows.iter().map(row).collect());
    let [platform, calls, ours, gap] = [platform, calls, ours, gap].map(|modes| modes.map(|spread| spread.median));
    section.note(format!(
        "A cached property takes {:.1} µs more than the native peer's. By cause: the kernel {:.1}; in user mode wasmtime and \
         the host {:.1}, host calls for Redis {:.1}, our instructions and the calls that are not for Redis {:.1}.",
        gap[2], gap[1], platform[0], calls[0], ours[0]
    ));
    section.note(
        "Medians of differences, round by round: they need not add up. The floor makes no call and checks nothing, while the \
         peer does both: what wasmtime and the host cost is more than the floor − peer by what the peer takes for that. The kernel \
         tells its modes apart by sampling, and Redis's own time is in none of them.",
    );
    section.data(json!(
        rows.iter()
            .map(|(name, [user, kernel, both])| {
                json!({ "name": name, "user_us": user.json(), "kernel_us": kernel.json(), "both_us": both.json() })
            })
            .collect::<Vec<_>>()
    ));
    section
}

/// What one takes beyond the other, in each mode.
fn beyond(one: &Series, other: &Series) -> [Spread; 3] {
    MODES.map(|of| one.server_cpu_beyond(other, of))
}
