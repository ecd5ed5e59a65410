//! What is looked at before anything starts: the ports, and the folder.

use std::fmt;
use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use host::Holder;

use crate::injector;
use crate::liberty;
use crate::plan::Plan;

/// The file that marks a folder as a lab's: in no other is anything removed.
const MARK: &str = ".bedloe-lab";
/// The longest path of a socket, by the kernel's `sun_path`.
const SOCKET_PATH_MAX: usize = 107;

/// Bits of a mode by which somebody else could lay a link in a folder.
const WRITABLE_BY_OTHERS: u32 = 0o022;
/// The balancer's files for one user of the load: its connection, and one to a server.
const FILES_PER_USER: u64 = 2;
/// Its files beside: listeners, logs, wake-ups, its threads' own.
const FILES_ELSE: u64 = 128;

/// Something that is in the way of a lab.
#[derive(Debug)]
pub enum Obstacle {
    /// An address that cannot be listened at.
    Port {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        error: io::Error,
        /// The process that listens there, where it can be seen.
        holder: Option<Holder>,
    },
    /// Too few open files.
    Files {
        /// What one process of the lab may open.
        limit: u64,
        /// What the balancer needs for the load.
        needed: u64,
    },
    /// A folder that cannot be used.
    Folder {
        /// The folder.
        folder: PathBuf,
        /// Why.
        why: String,
    },
}

/// Everything that is in the way, so that it can be cleared at one go.
#[derive(Debug, thiserror::Error)]
pub struct Obstacles(pub Vec<Obstacle>);

/// Tries every port that the lab needs, raises the limit of open files to what the system lets this process and its
/// children have, and prepares the folder.
pub fn check(plan: &Plan) -> Result<(), Obstacles> {
    // Without files to open, nothing else can be tried.
    if let Some(obstacle) = few_files(host::files::raise(), users(plan)) {
        return Err(Obstacles(vec![obstacle]));
    }
    let servers = plan.servers.iter().map(|server| server.address);
    let mut found: Vec<Obstacle> = [plan.http, plan.https].into_iter().chain(servers).filter_map(try_port).collect();
    if found.is_empty() {
        found.extend(prepare(&plan.options.folder, &plan.admin()).err());
    }
    if found.is_empty() { Ok(()) } else { Err(Obstacles(found)) }
}

/// The users of the load.
fn users(plan: &Plan) -> u32 {
    let of_rate = || injector::users(plan.options.rate);
    plan.options.load.as_ref().map_or_else(of_rate, |load| load.max_users())
}

/// What is missing where `limit` is the most files that a process may open.
fn few_files(limit: Option<u64>, users: u32) -> Option<Obstacle> {
    let limit = limit?;
    let needed = FILES_PER_USER * u64::from(users) + FILES_ELSE;
    (limit < needed).then_some(Obstacle::Files { limit, needed })
}

fn try_port(address: SocketAddr) -> Option<Obstacle> {
    let error = TcpListener::bind(address).err()?;
    let in_use = error.kind() == io::ErrorKind::AddrInUse;
    Some(Obstacle::Port { address, error, holder: in_use.then(|| host::holder(address)).flatten() })
}

/// Writes a file for this user only: some hold a secret.
pub(crate) fn write_new(path: &Path, text: &str) -> io::Result<()> {
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    io::Write::write_all(&mut file, text.as_bytes())
}

/// Makes the folder, for this user only, and takes an earlier lab's files away.
pub(crate) fn prepare(folder: &Path, socket: &Path) -> Result<(), Obstacle> {
    let obstacle = |why: String| Obstacle::Folder { folder: folder.to_owned(), why };
    if socket.as_os_str().len() > SOCKET_PATH_MAX {
        return Err(obstacle(format!("the path of a socket in it is longer than {SOCKET_PATH_MAX} bytes")));
    }
    make(folder).map_err(obstacle)?;
    fs::write(folder.join(MARK), "").map_err(|error| obstacle(error.to_string()))?;
    for name in ["conf.d", "logs", "tls"] {
        let path = folder.join(name);
        let _ = fs::remove_dir_all(&path);
        fs::create_dir(&path).map_err(|error| obstacle(error.to_string()))?;
    }
    let _ = fs::remove_dir_all(folder.join(liberty::FOLDER));
    for name in ["nginx.conf", "haproxy.cfg", "nginx.pid", "admin.sock", "api.sock", "restart.sock"] {
        let _ = fs::remove_file(folder.join(name));
    }
    Ok(())
}

fn make(folder: &Path) -> Result<(), String> {
    match fs::DirBuilder::new().mode(0o700).recursive(false).create(folder) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => trust(folder),
        Err(error) => Err(error.to_string()),
    }
}

/// In a folder open to all, like `/tmp`, somebody else may have laid one there.
fn trust(folder: &Path) -> Result<(), String> {
    let found = fs::symlink_metadata(folder).map_err(|error| error.to_string())?;
    if !found.is_dir() {
        return Err("it is not a folder".to_owned());
    }
    if found.uid() != rustix::process::geteuid().as_raw() {
        return Err("it belongs to another user; name a folder of your own".to_owned());
    }
    if found.mode() & WRITABLE_BY_OTHERS != 0 {
        return Err("others may write in it; chmod go-w it, or name another folder".to_owned());
    }
    let mut entries = fs::read_dir(folder).map_err(|error| error.to_string())?;
    if !folder.join(MARK).is_file() && entries.next().is_some() {
        return Err("it holds files that are no lab's; name a new folder".to_owned());
    }
    Ok(())
}

impl fmt::Display for Obstacles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nothing was started")?;
        self.0.iter().try_for_each(|obstacle| write!(f, "\n  {obstacle}"))
    }
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder { folder, why } => write!(f, "cannot use the folder {}: {why}", folder.display()),
            Self::Files { limit, needed } => write!(
                f,
                "at this rate the balancer may need {needed} open files, and the limit is {limit}: \
                 run `ulimit -n {needed}` before, or lower --rate; `bedloe tune apply --role balancer` sets it for good"
            ),
            Self::Port { address, holder: Some(holder), .. } => write!(f, "{address} is in use by {holder}"),
            Self::Port { address, error, .. } => match error.kind() {
                io::ErrorKind::AddrInUse => write!(f, "{address} is in use"),
                io::ErrorKind::PermissionDenied => write!(f, "this user may not listen at {address}"),
                io::ErrorKind::AddrNotAvailable => write!(f, "this machine does not have the address {address}"),
                _ => write!(f, "cannot listen at {address}: {error}"),
            },
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_port_in_use_is_named_with_its_holder() {
        // An address of its own: no test beside this one takes the port once it is free.
        let listener = TcpListener::bind("127.77.1.2:0").unwrap();
        let address = listener.local_addr().unwrap();
        let said = try_port(address).unwrap().to_string();
        assert!(said.starts_with(&format!("{address} is in use by ")), "{said}");
        assert!(said.ends_with(&format!("(process {})", std::process::id())), "{said}");
        drop(listener);
        // A process that another test is starting may hold a copy of the socket for a moment.
        while try_port(address).is_some() {
            std::thread::yield_now();
        }
    }

    #[test]
    fn an_address_of_another_machine_is_said_to_be_missing() {
        let said = try_port("192.0.2.1:9080".parse().unwrap()).unwrap().to_string();
        assert_eq!(said, "this machine does not have the address 192.0.2.1:9080");
    }

    #[test]
    fn too_few_files_are_told_with_the_remedy() {
        assert!(few_files(None, 2_000).is_none() && few_files(Some(4_128), 2_000).is_none());
        let said = few_files(Some(1_024), injector::users(8_000)).unwrap().to_string();
        let expected = "at this rate the balancer may need 4128 open files, and the limit is 1024: \
                        run `ulimit -n 4128` before, or lower --rate; \
                        `bedloe tune apply --role balancer` sets it for good";
        assert_eq!(said, expected);
    }

    #[test]
    fn the_folder_is_made_and_emptied() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("lab");
        let socket = folder.join("admin.sock");
        prepare(&folder, &socket).unwrap();
        assert_eq!(fs::metadata(&folder).unwrap().mode() & 0o777, 0o700);
        fs::write(folder.join("logs/old"), "x").unwrap();
        fs::write(folder.join("mine"), "x").unwrap();
        prepare(&folder, &socket).unwrap();
        assert!(!folder.join("logs/old").exists() && folder.join("mine").exists());
    }

    #[test]
    fn a_folder_that_cannot_be_used_is_named() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("file");
        fs::write(&file, "x").unwrap();
        let said = |folder: &Path| prepare(folder, &folder.join("admin.sock")).unwrap_err().to_string();
        assert!(said(home.path()).ends_with("it holds files that are no lab's; name a new folder"));
        assert!(said(&file).ends_with("it is not a folder"));
        let open = home.path().join("open");
        fs::create_dir(&open).unwrap();
        for (mode, is_fit) in [(0o770, false), (0o707, false), (0o755, true), (0o700, true)] {
            fs::set_permissions(&open, fs::Permissions::from_mode(mode)).unwrap();
            let is_taken = prepare(&open, &open.join("admin.sock")).is_ok();
            assert_eq!(is_taken, is_fit, "{mode:o}");
        }
        assert!(said(&home.path().join("a/b")).contains("No such file"));
        assert!(said(&home.path().join("x".repeat(120))).contains("longer than 107 bytes"));
    }
}
