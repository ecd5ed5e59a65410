//! A real nginx with a generated configuration, to compare with. It needs no rights, no port and no file outside of a
//! temporary directory.

use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::thread;

use tempfile::TempDir;

/// Where Debian and nginx.org install it; `sbin` is not on every user's path.
const PLACES: [&str; 3] = ["/usr/sbin/nginx", "/usr/local/sbin/nginx", "/usr/local/nginx/sbin/nginx"];

/// The last line of nginx's start, after its sockets are open.
const STARTED: &str = "event method";

/// A running nginx of one process, ended when dropped.
pub(crate) struct Nginx {
    child: Child,
    directory: TempDir,
}

/// The nginx that is installed.
pub(crate) fn find() -> Option<PathBuf> {
    PLACES.iter().map(PathBuf::from).find(|place| place.exists())
}

/// Says that a comparison was left out.
#[allow(clippy::print_stderr, reason = "a comparison that is skipped must be seen")]
pub(crate) fn skipped(test: &str) {
    eprintln!("skipped: {test}: nginx is not installed");
}

impl Nginx {
    /// Starts `program` with this content of the `http` block, in which `listen SOCKET` stands for its address.
    pub(crate) fn start(program: &Path, http: &str) -> io::Result<Self> {
        let directory = tempfile::tempdir()?;
        let socket = format!("unix:{}", directory.path().join("socket").display());
        std::fs::write(
            directory.path().join("nginx.conf"),
            whole(&http.replace("listen SOCKET", &format!("listen {socket}"))),
        )?;
        let mut child = Command::new(program)
            .arg("-p")
            .arg(directory.path())
            .args(["-c", "nginx.conf", "-e", "stderr"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        let stderr = child.stderr.take().ok_or_else(|| io::Error::other("nginx has no standard error"))?;
        let nginx = Self { child, directory };
        wait_for_start(stderr)?;
        Ok(nginx)
    }

    /// A connection to it.
    pub(crate) fn connect(&self) -> io::Result<UnixStream> {
        UnixStream::connect(self.directory.path().join("socket"))
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads until nginx has started, then goes on reading in the background: a full pipe would stop nginx.
fn wait_for_start(stderr: ChildStderr) -> io::Result<()> {
    let mut lines = BufReader::new(stderr);
    let mut seen = String::new();
    loop {
        let mut line = String::new();
        if lines.read_line(&mut line)? == 0 {
            return Err(io::Error::other(format!("nginx did not start:\n{seen}")));
        }
        seen.push_str(&line);
        if line.contains(STARTED) {
            thread::spawn(move || io::copy(&mut lines.by_ref(), &mut io::sink()));
            return Ok(());
        }
    }
}

fn whole(http: &str) -> String {
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let temporary: String = temporary.map(|kind| format!("    {kind}_temp_path {kind};\n")).concat();
    format!(
        "daemon off;\nmaster_process off;\npid nginx.pid;\nerror_log stderr notice;\n\
         events {{ worker_connections 256; }}\n\
         http {{\n    access_log off;\n    keepalive_requests 1000000;\n{temporary}{http}}}\n"
    )
}
