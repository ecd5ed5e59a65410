//! The named limits of the data plane, each with its reason.

/// Pages about the balancer that are made at once, each on a thread of its own; beyond that, clients get 503.
pub(crate) const PAGES_AT_ONCE: usize = 8;

/// How often a server that gets no requests is checked, whatever `interval` says; and how long a check waits after the
/// one before it at least, so that one that fails at once, or only by its time-out, is not made without a pause.
pub(crate) const CHECK_AGAIN_MS: u64 = 250;
pub(crate) const CHECK_PAUSE_MS: u64 = 10;
/// Connections to a server that a check tries at once, each a while after the one before it; and checks that are under
/// way at once at a server that gets no requests.
pub(crate) const CHECK_TRIES: usize = 4;
/// Bytes of the body of a check's answer that are looked at, as in nginx.
pub(crate) const CHECK_BODY_MAX: usize = 256 * 1024;

/// How often the first request in a queue looks for a server that other threads, checks or time have brought back.
pub(crate) const QUEUE_LOOK_MS: u64 = 10;

/// Exchanges (scratch space of a request in flight) that a thread keeps for reuse; some KiB each.
pub(crate) const EXCHANGES_KEPT: usize = 1024;

/// Bytes read and thrown away after an answer that closes the connection, so that the client can read it before a
/// reset. Many send all of a body before they read; nginx sets no limit but that of time.
pub(crate) const LINGER_BYTES: u64 = 1 << 30;
/// Reads of these before the thread's other connections have their turn: a client may send as fast as they are read.
pub(crate) const LINGER_READS: usize = 4;
/// How long a client whose request was never understood may take, as nginx's `lingering_timeout`.
pub(crate) const LINGER_MS: u64 = 5_000;

/// Body bytes gathered behind a head before a write: as much as is cheap to copy.
pub(crate) const COALESCE: usize = 16 * 1024;

/// Bytes of a kept request body that are written to its temporary file, or read from it, at a time: few system
/// calls, and short ones.
pub(crate) const SPOOL_PIECE: usize = 64 * 1024;
/// Pieces of a body that go to a server before the thread's other connections have their turn.
pub(crate) const SPOOL_PIECES: u32 = 8;

/// Servers that an upstream may have before `api` adds no more: each has counts for every thread.
pub(crate) const API_SERVERS_MAX: usize = 4096;
/// Bytes of a route that `api` sets: a clone id has some ten.
pub(crate) const API_ROUTE_MAX: usize = 128;
/// Bytes of what the owner of a hold on an upstream says of itself: a program, a process, a host, a time.
pub(crate) const HOLD_OWNER_MAX: usize = 256;
/// The longest hold: one whose owner has died keeps others out for so long.
pub(crate) const HOLD_SECONDS_MAX: u64 = 3_600;

/// Names in the list of a folder: each is a look at the disk, and some 200 bytes of a page.
pub(crate) const LISTED_MAX: usize = 4096;
/// Bytes of a file that are read and written at a time.
pub(crate) const FILE_PIECE: usize = 32 * 1024;
/// Pieces of a file that go to a client before the thread's other connections have their turn.
pub(crate) const FILE_PIECES: u32 = 8;

/// Bytes of a file of names and passwords that are looked through: some ten thousand users, read for each request.
pub(crate) const USER_FILE_MAX: u64 = 1 << 20;
/// Bytes of an answer that are unpacked at a time: they may become a thousand times as many.
pub(crate) const GUNZIP_PIECE: usize = 512;
/// Compressors that a thread keeps for the next answers; each takes some 260 KiB.
pub(crate) const GZIPS_KEPT: usize = 16;
/// Bytes of a password that is compared in a way that is slow on purpose: that takes longer the longer it is. libcrypt
/// takes no longer ones either.
pub(crate) const PASSWORD_MAX: usize = 511;
/// Passwords that wait to be compared in a way that is slow on purpose; beyond that, clients get 503.
pub(crate) const PASSWORDS_WAITING: usize = 256;

/// The largest head of a request whatever `large_client_header_buffers` says: it has to fit into a buffer.
pub(crate) const REQUEST_HEAD_MAX: usize = 64 * 1024;

/// The largest head of an answer whatever `proxy_buffer_size` says: it has to fit into a buffer
/// (`net::buffer::LARGEST`).
pub(crate) const ANSWER_HEAD_MAX: usize = 64 * 1024;

/// Reads of one side of an upgraded connection before the thread's other connections have their turn.
pub(crate) const TUNNEL_READS: usize = 16;
/// How long an upgraded connection goes on without a byte after its server has ended: what a client has left to say
/// then is soon said, while `proxy_read_timeout` may be hours.
pub(crate) const HALF_CLOSED_MS: u64 = 30_000;

/// Internal redirects of one request, as nginx has it: two locations that send it to each other must come to an end.
pub(crate) const REDIRECTS_MAX: usize = 10;

/// Interim answers (1xx) that an upstream may send before the final one.
pub(crate) const INTERIM_ANSWERS: u32 = 16;

/// A kept upstream connection takes a request that must not be repeated only if it was in use within this time: the
/// server's persistTimeout cannot have run out meanwhile.
pub(crate) const FRESH_ENOUGH_MS: u64 = 1_000;

/// How long a client waits for an answer before its socket is watched for its going away. Sooner would cost every
/// request, later would leave work for nobody with the server.
pub(crate) const WATCH_AFTER_MS: u64 = 100;

/// How often the log says that descriptors or `worker_connections` have run out, while they have.
pub(crate) const EXHAUSTION_TOLD_MS: u64 = 10_000;

/// How many times `keepalive` connections may be idle between the requests of a burst, and for how long unused.
pub(crate) const POOL_BURST: usize = 2;
pub(crate) const POOL_BURST_MS: u64 = 1_000;

/// How long accepting rests when descriptors or `worker_connections` have run out, and when idle connections were
/// closed to make room: these take a turn of the event loop to go.
pub(crate) const ACCEPT_PAUSE_MS: u64 = 100;
pub(crate) const ROOM_PAUSE_MS: u64 = 5;
/// Which part of `worker_connections` is closed at once, of those that are idle, to make room. Finding them takes a
/// look at all connections, so it must not be one at a time.
pub(crate) const ROOM_PART: usize = 16;

/// Connections taken from a listener's queue before it is closed: the longest queue there can be. Clients that go on
/// connecting must not keep a process from draining.
pub(crate) const LAST_ACCEPTS: usize = 65_535;

/// Log bytes a thread gathers before it hands them to the writer; it does so at each sweep too.
pub(crate) const LOG_BATCH: usize = 8 * 1024;
/// Batches under way to the writer, of all threads. Beyond that lines are dropped and counted: a full disk or a hung
/// file system must not stop requests.
pub(crate) const LOG_BATCHES: usize = 1024;

/// Characters that are kept of what was wrong with a check's answer: a header's value of it may be in there.
pub(crate) const CHECK_WRONG_CHARS: usize = 200;

/// Events kept for readers that lag.
pub(crate) const EVENTS_KEPT: usize = 4096;

/// Logs that one process names over all the configurations it serves. Their numbers are not given again, for requests
/// write to a log after a reload that no longer has it; a process that has seen more is replaced by a fresh one.
pub(crate) const LOGS_MAX: usize = 1024;

/// HTTP/2: the most that `http2_max_concurrent_streams` can be: each stream has a future and an exchange of its own.
pub(crate) const HTTP2_STREAMS_MAX: u32 = 1024;
/// Bytes of all request bodies of one connection that may come before servers have taken them; one stream may have
/// `http2_body_preread_size` of them.
pub(crate) const HTTP2_CONNECTION_WINDOW: u32 = 1024 * 1024;
/// What `http2_body_preread_size` can be: a frame at least, and less than would fill memory.
pub(crate) const HTTP2_STREAM_WINDOW_MIN: u32 = 16 * 1024;
pub(crate) const HTTP2_STREAM_WINDOW_MAX: u32 = 16 * 1024 * 1024;
/// Bytes of one stream's answer that wait to be written: twice what is read from an upstream at a time and a frame.
pub(crate) const HTTP2_SEND_BUFFER: usize = 64 * 1024;
/// Bytes that are read and thrown away after a GOAWAY: twice what the windows let a client send that has not read it.
/// Who sends more goes on regardless.
pub(crate) const HTTP2_LINGER_BYTES: u64 = 2 * HTTP2_CONNECTION_WINDOW as u64;
/// Plain bytes gathered for one write: a full TLS record.
pub(crate) const HTTP2_GATHER: usize = 16 * 1024;
/// An upstream's block goes to the client as it is from this size on; less is copied, for a block holds 20 KiB.
pub(crate) const HTTP2_COPY_BELOW: usize = 4 * 1024;
/// Streams that were reset before they were served, of one read mostly, and streams that we reset for their faults.
pub(crate) const HTTP2_RESETS_PENDING: usize = 32;
pub(crate) const HTTP2_FAULTS: usize = 256;
/// Streams that we reset are remembered, so that frames under way for them are no error, this many and so long.
pub(crate) const HTTP2_RESETS_KEPT: usize = 64;
pub(crate) const HTTP2_RESETS_KEPT_S: u64 = 5;
/// RST_STREAM frames at once, and a second: a page left in the middle of loading resets its hundred streams; a flood
/// (CVE-2023-44487) makes thousands, each of which has begun work at a server.
pub(crate) const HTTP2_RESET_BURST: u64 = 500;
pub(crate) const HTTP2_RESET_PER_S: u64 = 100;
/// PING frames: clients that measure the line send one a round trip at most.
pub(crate) const HTTP2_PING_BURST: u64 = 1_000;
pub(crate) const HTTP2_PING_PER_S: u64 = 100;
/// SETTINGS frames: one at the start, and few later.
pub(crate) const HTTP2_SETTINGS_BURST: u64 = 100;
pub(crate) const HTTP2_SETTINGS_PER_S: u64 = 10;
/// All other frames that are no message (PRIORITY, WINDOW_UPDATE, unknown ones), and how much sent to the client earns
/// it another one: two windows are updated for each DATA frame, which may be small.
pub(crate) const HTTP2_OTHER_BURST: u64 = 10_000;
pub(crate) const HTTP2_OTHER_PER_S: u64 = 1_000;
pub(crate) const HTTP2_SENT_PER_FRAME: u64 = 512;
/// An HTTP/2 connection that was idle for so long gives the memory of its streams back; sooner, each request of a busy
/// one would take it anew.
pub(crate) const HTTP2_REST_MS: u64 = 1_000;
/// Rounds in one turn of a connection's task before others have theirs.
pub(crate) const HTTP2_ROUNDS: usize = 32;

/// Servers that a thread keeps TLS sessions of: names that are resolved again and again bring new addresses.
pub(crate) const TLS_CLIENTS_MAX: usize = 4096;
