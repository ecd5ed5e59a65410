//! Frames between master and worker, over a socket pair: a header, bytes, and open files that travel with them.
//!
//! A frame is `kind`, the number of files, the length, then the bytes. Files go ahead of it, as many at a time as the
//! kernel takes with one message. The header names the version, so that two programs that differ refuse each other
//! instead of misreading.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
    recvmsg, sendmsg,
};
use tokio::io::Interest;
use tokio::net::UnixStream;

/// The protocol's name and version.
const MAGIC: [u8; 4] = *b"bdl1";
/// `MAGIC`, kind and length of the bytes.
const HEADER: usize = 4 + 4 + 8;
/// A kind of its own: files for the frame that comes next. Its length is how many.
const FILES: u32 = 0;
/// Files in one message; the kernel refuses more than 253 (`SCM_MAX_FD`).
const FILES_AT_ONCE: usize = 250;
/// Files of one frame: each listener and log is one, and a process has rarely more open.
const FILES_MAX: usize = 16 * 1024;
/// Bytes of one frame: as much as a whole configuration may have, certificates and keys included.
const BYTES_MAX: u64 = 256 << 20;

/// One message.
#[derive(Debug)]
pub(super) struct Frame {
    /// What it is; not 0.
    pub(super) kind: u32,
    pub(super) bytes: Vec<u8>,
    pub(super) files: Vec<OwnedFd>,
}

/// Sends a frame without blocking the thread: a worker that stands still must not make its master stand still.
pub(super) async fn send(stream: &UnixStream, frame: Frame) -> io::Result<()> {
    for files in frame.files.chunks(FILES_AT_ONCE) {
        let header = header(FILES, files.len() as u64);
        let files: Vec<BorrowedFd<'_>> = files.iter().map(AsFd::as_fd).collect();
        let sent = write_some(stream, &header, &files).await?;
        write_all(stream, &header[sent..]).await?;
    }
    write_all(stream, &header(frame.kind, frame.bytes.len() as u64)).await?;
    write_all(stream, &frame.bytes).await
}

/// The same from a thread that may wait. No files.
pub(super) fn send_waiting(socket: impl AsFd, kind: u32, bytes: &[u8]) -> io::Result<()> {
    let mut all = header(kind, bytes.len() as u64).to_vec();
    all.extend_from_slice(bytes);
    let mut left = &all[..];
    while !left.is_empty() {
        let sent = rustix::io::retry_on_intr(|| rustix::net::send(&socket, left, SendFlags::NOSIGNAL))?;
        left = &left[sent..];
    }
    Ok(())
}

/// Waits for the next frame; `None` when the other side has gone.
pub(super) fn receive_waiting(socket: impl AsFd) -> io::Result<Option<Frame>> {
    let mut files = Vec::new();
    loop {
        let mut bytes = [0; HEADER];
        if !fill(socket.as_fd(), &mut bytes, &mut files)? {
            return Ok(None);
        }
        match parse(bytes, files.len())? {
            (FILES, _) => {}
            (kind, length) => {
                let mut bytes = vec![0; length];
                if !fill(socket.as_fd(), &mut bytes, &mut files)? {
                    return Ok(None);
                }
                return Ok(Some(Frame { kind, bytes, files }));
            }
        }
    }
}

/// Waits, without blocking the thread, for the next frame of the worker's; files are not taken from it.
pub(super) async fn receive(stream: &UnixStream) -> io::Result<Option<Frame>> {
    let mut header = [0; HEADER];
    if !read_all(stream, &mut header).await? {
        return Ok(None);
    }
    let (kind, length) = parse(header, 0)?;
    let mut bytes = vec![0; length];
    let is_whole = read_all(stream, &mut bytes).await?;
    Ok(is_whole.then_some(Frame { kind, bytes, files: Vec::new() }))
}

fn header(kind: u32, length: u64) -> [u8; HEADER] {
    let mut header = [0; HEADER];
    header[..4].copy_from_slice(&MAGIC);
    header[4..8].copy_from_slice(&kind.to_le_bytes());
    header[8..].copy_from_slice(&length.to_le_bytes());
    header
}

/// Kind and length; an error where they cannot be a frame's.
fn parse(header: [u8; HEADER], files: usize) -> io::Result<(u32, usize)> {
    let [m0, m1, m2, m3, k0, k1, k2, k3, length @ ..] = header;
    let (kind, length) = (u32::from_le_bytes([k0, k1, k2, k3]), u64::from_le_bytes(length));
    if [m0, m1, m2, m3] != MAGIC {
        return Err(io::Error::other("the other process speaks another version"));
    }
    if length > BYTES_MAX || files > FILES_MAX {
        return Err(io::Error::other(format!(
            "a message of {length} bytes and {files} files is too large: {BYTES_MAX} and {FILES_MAX} are the limits"
        )));
    }
    Ok((kind, usize::try_from(length).map_err(io::Error::other)?))
}

/// Sends bytes with files; the files go with the first byte.
async fn write_some(stream: &UnixStream, bytes: &[u8], files: &[BorrowedFd<'_>]) -> io::Result<usize> {
    let send = || {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(FILES_AT_ONCE))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        control.push(SendAncillaryMessage::ScmRights(files));
        Ok(sendmsg(stream, &[IoSlice::new(bytes)], &mut control, SendFlags::NOSIGNAL)?)
    };
    stream.async_io(Interest::WRITABLE, send).await
}

async fn write_all(stream: &UnixStream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        let send = || Ok(rustix::net::send(stream, bytes, SendFlags::NOSIGNAL)?);
        let sent = stream.async_io(Interest::WRITABLE, send).await?;
        bytes = &bytes[sent..];
    }
    Ok(())
}

/// Fills the bytes; false at the end of the stream.
async fn read_all(stream: &UnixStream, bytes: &mut [u8]) -> io::Result<bool> {
    let mut filled = 0;
    while filled < bytes.len() {
        stream.readable().await?;
        match stream.try_read(&mut bytes[filled..]) {
            Ok(0) => return Ok(false),
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}

/// Fills the bytes, and keeps the files that come with them; false at the end of the stream.
fn fill(socket: BorrowedFd<'_>, bytes: &mut [u8], files: &mut Vec<OwnedFd>) -> io::Result<bool> {
    let mut filled = 0;
    while filled < bytes.len() {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(FILES_AT_ONCE))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let read = rustix::io::retry_on_intr(|| {
            recvmsg(socket, &mut [IoSliceMut::new(&mut bytes[filled..])], &mut control, RecvFlags::CMSG_CLOEXEC)
        })?;
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(more) = message {
                files.extend(more);
            }
        }
        if read.bytes == 0 {
            return Ok(false);
        }
        filled += read.bytes;
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

    use std::io::{Read, Seek, Write};

    use super::*;

    fn pair() -> (UnixStream, std::os::unix::net::UnixStream) {
        let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        (UnixStream::from_std(ours).unwrap(), theirs)
    }

    #[tokio::test]
    async fn frames_arrive_with_their_files() {
        let (ours, theirs) = pair();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"inside").unwrap();
        let files: Vec<OwnedFd> = (0..600).map(|_| file.try_clone().unwrap().into()).collect();
        let bytes = vec![7; 3 << 20];
        let reader = std::thread::spawn(move || {
            let first = receive_waiting(&theirs).unwrap().unwrap();
            let second = receive_waiting(&theirs).unwrap().unwrap();
            send_waiting(&theirs, 3, b"answer").unwrap();
            assert!(receive_waiting(&theirs).unwrap().is_none());
            (first, second)
        });
        send(&ours, Frame { kind: 1, bytes: bytes.clone(), files }).await.unwrap();
        send(&ours, Frame { kind: 2, bytes: Vec::new(), files: Vec::new() }).await.unwrap();
        let answer = receive(&ours).await.unwrap().unwrap();
        assert_eq!((answer.kind, &answer.bytes[..]), (3, &b"answer"[..]));
        drop(ours);
        let (first, second) = reader.join().unwrap();
        assert_eq!((first.kind, first.bytes, first.files.len()), (1, bytes, 600));
        assert_eq!((second.kind, second.files.len()), (2, 0));
        let mut file = std::fs::File::from(first.files.into_iter().next_back().unwrap());
        let mut text = String::new();
        file.rewind().unwrap();
        file.read_to_string(&mut text).unwrap();
        assert_eq!(text, "inside");
    }

    #[tokio::test]
    async fn other_versions_and_lengths_beyond_the_limit_are_refused() {
        for bytes in [&b"HTTP/1.1 200 OK\r\n"[..], &header(1, BYTES_MAX + 1)] {
            let (ours, mut theirs) = pair();
            theirs.write_all(bytes).unwrap();
            assert!(receive(&ours).await.is_err());
        }
    }
}
