//! The versions of servers that have published vulnerabilities, and which images a deployment may therefore not pin. Pure.
//!
//! Nothing is looked up: the table is what was known at [`READ_ON`], and SECURITY.md says who reads the sources, and how often.

/// When the sources were last read.
pub const READ_ON: &str = "2026-11-29";

/// A server whose releases are followed.
struct Product {
    /// As a sentence names it.
    name: &'static str,
    /// What the last part of an image's name is, of its publisher and of others.
    images: &'static [&'static str],
    /// How many numbers a full version has.
    numbers: usize,
    /// Where its maintainers publish vulnerabilities.
    source: &'static str,
    /// Its release lines that still get repairs, oldest first.
    lines: &'static [Line],
}

/// A release line, and its first release without a known vulnerability.
struct Line {
    first_fixed: &'static [u32],
    /// The latest advisory, which that release closes.
    advisory: &'static str,
}

const fn line(first_fixed: &'static [u32], advisory: &'static str) -> Line {
    Line { first_fixed, advisory }
}

/// A use after free in the TLS listener, open to those without a password. CVE record of 2026-08-31.
const REDIS_TLS: &str = "CVE-2026-81934";
/// The cluster bus; out with it, rights of a transaction's commands. Release notes of 2026-09-17.
const REDIS_CLUSTER: &str = "CVE-2026-92925";
/// 28 of them. Announcement of 2026-08-13.
const POSTGRES_AUGUST: &str = "CVE-2026-6471";
/// 42 of them. Debian's changelog of 15.20-0+deb12u1, 2026-11-13. What 16 to 18 have of them was not to be read here.
const POSTGRES_NOVEMBER: &str = "CVE-2026-116303";

const PRODUCTS: &[Product] = &[
    Product {
        name: "Redis",
        images: &["redis"],
        numbers: 3,
        source: "the release notes at github.com/redis/redis/releases",
        lines: &[
            line(&[6, 2, 24], REDIS_TLS),
            line(&[7, 2, 16], REDIS_TLS),
            line(&[7, 4, 11], REDIS_TLS),
            line(&[8, 2, 10], REDIS_CLUSTER),
            line(&[8, 4, 6], REDIS_TLS),
            line(&[8, 6, 7], REDIS_CLUSTER),
            line(&[8, 8, 3], REDIS_CLUSTER),
            line(&[8, 10, 2], REDIS_CLUSTER),
        ],
    },
    Product {
        name: "Valkey",
        images: &["valkey"],
        numbers: 3,
        source: "the release notes at github.com/valkey-io/valkey/releases",
        lines: &[
            line(&[8, 1, 9], "CVE-2026-56684"),
            line(&[9, 0, 6], "GHSA-jcj7-v34w-v9vv"),
            line(&[9, 1, 2], "GHSA-fq2f-crmw-q97r"),
        ],
    },
    Product {
        name: "PostgreSQL",
        images: &["postgresql", "postgres"],
        numbers: 2,
        source: "www.postgresql.org/support/security",
        lines: &[
            line(&[15, 20], POSTGRES_NOVEMBER),
            line(&[16, 15], POSTGRES_AUGUST),
            line(&[17, 11], POSTGRES_AUGUST),
            line(&[18, 6], POSTGRES_AUGUST),
        ],
    },
    // HAProxy comes with Debian alone, which mends the version that it has: `apt-get upgrade`.
    Product {
        name: "PgBouncer",
        images: &["pgbouncer"],
        numbers: 3,
        source: "www.pgbouncer.org/changelog.html",
        // An attacker without a password could have SQL run by auth_query.
        lines: &[line(&[1, 25, 1], "CVE-2025-12819")],
    },
];

/// What is wrong with pinning this image, and how to mend it; `None` if nothing is known, or it is none of these servers.
pub fn problem(image: &str) -> Option<(String, String)> {
    let (name, tag) = split(image);
    let product = PRODUCTS.iter().find(|product| product.images.contains(&name))?;
    let Product { name, numbers, source, lines, .. } = product;
    let newest = lines.last()?;
    let Some(version) = version(tag, *numbers) else {
        let problem = format!("runs {name} in no full version ({image:?}), so its vulnerabilities are unknown");
        return Some((problem, format!("image: …:{}, or newer", shown(newest.first_fixed))));
    };
    // All numbers but the last name the line.
    let of_line = |line: &&Line| line.first_fixed[..numbers - 1] == version[..numbers - 1];
    let Some(line) = lines.iter().find(of_line) else {
        // Newer than the table.
        let is_newer = version.as_slice() > newest.first_fixed;
        return (!is_newer).then(|| {
            let problem = format!("runs {name} {}, a release line that no longer gets repairs", shown(&version));
            (problem, format!("take {} or newer ({source})", shown(newest.first_fixed)))
        });
    };
    (version.as_slice() < line.first_fixed).then(|| {
        let problem =
            format!("runs {name} {}, which has a published vulnerability: {}", shown(&version), line.advisory);
        (problem, format!("take {} or newer ({source}, as of {READ_ON})", shown(line.first_fixed)))
    })
}

/// The last part of an image's name, and its tag: `redis` and `8.2.10-bookworm` of `docker.io/library/redis:8.2.10-bookworm@sha256:…`.
fn split(image: &str) -> (&str, &str) {
    let image = image.split_once('@').map_or(image, |(image, _)| image);
    let last = image.rsplit_once('/').map_or(image, |(_, last)| last);
    last.split_once(':').unwrap_or((last, ""))
}

/// The version that a tag begins with, if it is a full one.
fn version(tag: &str, numbers: usize) -> Option<Vec<u32>> {
    let tag = tag.split_once('-').map_or(tag, |(version, _)| version);
    let version: Option<Vec<u32>> = tag.split('.').map(|number| number.parse().ok()).collect();
    version.filter(|version| version.len() == numbers)
}

fn shown(version: &[u32]) -> String {
    version.iter().map(u32::to_string).collect::<Vec<_>>().join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refused(image: &str, because: &str, mend: &str) {
        let (problem, mended) = problem(image).unwrap_or_else(|| panic!("{image} passes"));
        assert!(problem.contains(because), "{problem}");
        assert!(mended.contains(mend), "{mended}");
    }

    #[track_caller]
    fn taken(image: &str) {
        assert_eq!(problem(image), None, "{image}");
    }

    #[test]
    fn a_version_with_a_published_vulnerability_is_refused_and_its_repair_taken() {
        refused("docker.io/library/redis:8.2.9-bookworm", "CVE-2026-92925", "8.2.10");
        taken("docker.io/library/redis:8.2.10-bookworm");
        refused("redis:7.2.15", "CVE-2026-81934", "7.2.16");
        taken("redis:7.2.16");
        refused("ghcr.io/cloudnative-pg/postgresql:15.18-system-bookworm", "CVE-2026-116303", "15.20");
        taken("ghcr.io/cloudnative-pg/postgresql:15.20-system-bookworm");
        refused("postgres:18.4", "CVE-2026-6471", "18.6");
        taken("postgres:18.6-alpine");
        refused("docker.io/valkey/valkey:9.1.1", "GHSA-fq2f-crmw-q97r", "9.1.2");
        taken("docker.io/valkey/valkey:9.1.2");
        refused("quay.io/x/pgbouncer:1.18.0", "no longer gets repairs", "1.25.1");
        taken("quay.io/x/pgbouncer:1.25.1");
    }

    /// The last number is compared as a number: as text "10" comes before "9".
    #[test]
    fn a_digest_beside_the_tag_and_two_digits_are_read() {
        taken("redis:8.2.11@sha256:0f0e");
        refused("localhost:5000/redis:8.2.9@sha256:0f0e", "CVE-2026-92925", "8.2.10");
    }

    #[test]
    fn a_line_without_repairs_is_refused_and_one_that_is_newer_than_the_table_taken() {
        refused("redis:7.0.15-bookworm", "no longer gets repairs", "8.10.2");
        refused("redis:8.0.6", "no longer gets repairs", "8.10.2");
        refused("postgres:14.24", "no longer gets repairs", "18.6");
        taken("redis:8.12.0");
        taken("postgres:19.0");
    }

    #[test]
    fn a_server_of_unknown_version_is_refused_and_what_is_no_server_is_not_looked_at() {
        for image in ["redis", "redis:latest", "redis:8", "redis:8.2", "redis:8.2-bookworm", "redis@sha256:0f0e"] {
            refused(image, "no full version", "8.10.2");
        }
        refused("ghcr.io/cloudnative-pg/postgresql:15", "no full version", "18.6");
        taken("registry.example/renttracker-edge:0.1.0");
        taken("docker.io/oliver006/redis_exporter:v1.85.0");
    }

    #[test]
    fn the_lines_are_in_order_and_of_full_versions() {
        for product in PRODUCTS {
            assert!(product.lines.iter().all(|line| line.first_fixed.len() == product.numbers), "{}", product.name);
            assert!(product.lines.is_sorted_by(|a, b| a.first_fixed < b.first_fixed), "{}", product.name);
        }
    }
}
