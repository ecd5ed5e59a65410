//! Finding Java, and Open Liberty: an installed one, one of the cache, or one that Maven fetches into it.
//!
//! Maven is asked by coordinates alone, so that its own settings (a mirror, a proxy) say where it fetches from.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::{Liberty, Wanted, is_version, program};

/// What Maven unpacks with.
const UNPACK: &str = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:unpack";
/// The oldest Java for the features of the lab's servers (Jakarta EE 10).
const JAVA_MIN: u32 = 11;
/// Room that a release takes: packed in Maven's own folder, and unpacked.
const ROOM_MIB: u64 = 1024;
/// The end of what Maven said that an error shows.
const TAIL_BYTES: usize = 1500;

/// Why there is no Liberty to run.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "each message says what its variant is")]
pub enum InstallError {
    #[error(
        "Open Liberty needs Java {JAVA_MIN} or later, and there is no `java` {place}: install one, on Debian and \
         Ubuntu by `apt-get install openjdk-17-jre-headless`, or let JAVA_HOME say where it is"
    )]
    NoJava { place: String },
    #[error("Open Liberty needs Java {JAVA_MIN} or later, and {path} is {found}: let JAVA_HOME name a later one")]
    OldJava { path: String, found: String },
    #[error(
        "Open Liberty {version} is not in {}, and there is no `mvn` on PATH to fetch it: install Maven, on Debian and \
         Ubuntu by `apt-get install maven`, or name an installed Liberty by --liberty-home",
        cache.display()
    )]
    NoMaven { version: String, cache: PathBuf },
    #[error("Maven could not fetch Open Liberty {version} ({status}); the end of what it said:\n{tail}")]
    Maven { version: String, status: std::process::ExitStatus, tail: String },
    #[error("{0:?} is no release of Open Liberty: want a number such as 26.0.0.5")]
    Version(String),
    #[error("{} is no Liberty: there is no bin/server in it", .0.display())]
    Home(PathBuf),
    #[error("{free} MiB are free in {}, and Open Liberty takes {ROOM_MIB}", folder.display())]
    Room { free: u64, folder: PathBuf },
    #[error("{}", path.display())]
    Folder { path: PathBuf, source: io::Error },
}

/// Finds the Liberty that is wanted, or fetches it; `tell` hears what takes long.
pub fn find(wanted: &Wanted, tell: &mut dyn FnMut(String)) -> Result<Liberty, InstallError> {
    let java = java(std::env::var_os("JAVA_HOME").filter(|home| !home.is_empty()).map(PathBuf::from))?;
    let home = match wanted {
        Wanted::Home(home) => home.clone(),
        Wanted::Release { version, cache } => release(version, cache, tell)?,
    };
    let home = std::path::absolute(&home).map_err(|source| InstallError::Folder { path: home, source })?;
    if program(&home).is_file() { Ok(Liberty { home, java }) } else { Err(InstallError::Home(home)) }
}

/// What Java says of itself, the one that Liberty's own script takes.
fn java(home: Option<PathBuf>) -> Result<String, InstallError> {
    let place = home.as_ref().map_or_else(|| "on PATH".to_owned(), |home| format!("in JAVA_HOME, {}", home.display()));
    let path = home.map_or_else(|| PathBuf::from("java"), |home| home.join("bin").join("java"));
    let output = Command::new(&path).arg("-version").stdin(Stdio::null()).output();
    let Ok(output) = output else { return Err(InstallError::NoJava { place }) };
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let found = said.lines().find(|line| line.contains(" version ")).unwrap_or_default().trim().to_owned();
    match major(&found) {
        Some(version) if version >= JAVA_MIN => Ok(found),
        // Without one it may be any: Liberty says more of it.
        None if output.status.success() => Ok(said.lines().next().unwrap_or_default().to_owned()),
        _ => Err(InstallError::OldJava { path: path.display().to_string(), found }),
    }
}

/// `17` of `openjdk version "17.0.15" 2025-04-15`, `8` of `java version "1.8.0_402"`.
fn major(line: &str) -> Option<u32> {
    let version = line.split('"').nth(1)?;
    let mut parts = version.split(['.', '-', '_', '+']).map(str::parse);
    match parts.next()?.ok()? {
        1 => parts.next()?.ok(),
        major => Some(major),
    }
}

fn release(version: &str, cache: &Path, tell: &mut dyn FnMut(String)) -> Result<PathBuf, InstallError> {
    if !is_version(version) {
        return Err(InstallError::Version(version.to_owned()));
    }
    let folder = cache.join(version);
    if program(&folder.join("wlp")).is_file() {
        return Ok(folder.join("wlp"));
    }
    let failed = |path: &Path, source| InstallError::Folder { path: path.to_owned(), source };
    // Made whole beside its place: one that was cut off is no release.
    let part = cache.join(format!("{version}.{}.part", std::process::id()));
    fs::create_dir_all(&part).map_err(|source| failed(&part, source))?;
    let fetched = room(cache).and_then(|()| {
        tell(format!("fetching Open Liberty {version} by Maven into {}, once: some 350 MB", folder.display()));
        fetch(version, &part, cache)
    });
    let placed = fetched.and_then(|()| {
        let _ = fs::create_dir(&folder);
        let (from, to) = (part.join("wlp"), folder.join("wlp"));
        // Somebody else may have been faster.
        fs::rename(&from, &to)
            .or_else(|error| if program(&to).is_file() { Ok(()) } else { Err(error) })
            .map_err(|source| failed(&to, source))
    });
    let _ = fs::remove_dir_all(&part);
    placed.map(|()| folder.join("wlp"))
}

fn room(cache: &Path) -> Result<(), InstallError> {
    let Ok(facts) = rustix::fs::statvfs(cache) else { return Ok(()) };
    let free = facts.f_bavail.saturating_mul(facts.f_frsize) >> 20;
    if free >= ROOM_MIB { Ok(()) } else { Err(InstallError::Room { free, folder: cache.to_owned() }) }
}

fn fetch(version: &str, part: &Path, cache: &Path) -> Result<(), InstallError> {
    let output = Command::new("mvn")
        .args(["--batch-mode", "--no-transfer-progress", UNPACK])
        .arg(format!("-Dartifact=io.openliberty:openliberty-runtime:{version}:zip"))
        .arg(format!("-DoutputDirectory={}", part.display()))
        .arg(format!("-DmarkersDirectory={}", part.join("markers").display()))
        // A project in the folder of whoever calls has no say.
        .current_dir(part)
        .stdin(Stdio::null())
        .output();
    let output = match output {
        Ok(output) => output,
        Err(_) => return Err(InstallError::NoMaven { version: version.to_owned(), cache: cache.to_owned() }),
    };
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    let errors: Vec<&str> = said.lines().filter(|line| line.contains("ERROR")).collect();
    let tail = if errors.is_empty() { said } else { errors.join("\n") };
    let tail = tail.chars().take(TAIL_BYTES).collect();
    Err(InstallError::Maven { version: version.to_owned(), status: output.status, tail })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn javas_version_is_read() {
        for (line, expected) in [
            (r#"openjdk version "17.0.15" 2025-04-15"#, Some(17)),
            (r#"java version "1.8.0_402""#, Some(8)),
            (r#"openjdk version "21" 2023-09-19"#, Some(21)),
            (r#"openjdk version "22-ea" 2023-09-19"#, Some(22)),
            ("no version here", None),
            ("", None),
        ] {
            assert_eq!(major(line), expected, "{line}");
        }
    }

    #[test]
    fn what_is_missing_is_told_with_the_remedy() {
        let home = tempfile::tempdir().unwrap();
        let error = java(Some(home.path().to_owned())).unwrap_err().to_string();
        assert!(error.contains("no `java` in JAVA_HOME") && error.contains("apt-get install openjdk"), "{error}");
        let old = home.path().join("bin/java");
        fs::create_dir(home.path().join("bin")).unwrap();
        fs::write(&old, "#!/bin/sh\necho 'java version \"1.8.0_402\"' >&2\n").unwrap();
        fs::set_permissions(&old, fs::Permissions::from_mode(0o755)).unwrap();
        let error = java(Some(home.path().to_owned())).unwrap_err().to_string();
        assert!(error.contains("1.8.0_402") && error.contains("Java 11 or later"), "{error}");
        let error = InstallError::NoMaven { version: "26.0.0.5".into(), cache: "c".into() }.to_string();
        assert!(error.contains("apt-get install maven") && error.contains("--liberty-home"), "{error}");
        let error = release("latest", home.path(), &mut |_| {}).unwrap_err().to_string();
        assert!(error.contains("is no release"), "{error}");
    }

    #[test]
    fn a_release_of_the_cache_is_not_fetched_again() {
        let cache = tempfile::tempdir().unwrap();
        let home = cache.path().join("1.2.3.4/wlp");
        fs::create_dir_all(home.join("bin")).unwrap();
        fs::write(home.join("bin/server"), "").unwrap();
        let found = release("1.2.3.4", cache.path(), &mut |said| panic!("{said}")).unwrap();
        assert_eq!(found, home);
    }
}
