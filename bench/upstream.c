/* A light HTTP/1.1 server to put behind a balancer that is measured: one epoll loop, any number of ports, one fixed
 * answer of 58 bytes. It reads just enough of a request to know where it ends: Content-Length bodies are swallowed,
 * requests may arrive in pieces, HEAD gets no body, `Connection: close` and HTTP/1.0 are obeyed. It does not take
 * chunked bodies (501) and knows no paths.
 *
 *   gcc -O2 -o upstream upstream.c && ./upstream 9081 9082 9083
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MAX_FD = 65536, BATCH = 512, HEAD_LIMIT = 16384, MAX_PORTS = 64 };

#define BODY "{\"message\":\"Hello from the upstream.\",\"server\":\"upstream\"}"
_Static_assert(sizeof BODY - 1 == 58, "the body is 58 bytes");
static const char HEAD[] = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 58\r\n\r\n";
static const char WHOLE[] = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 58\r\n\r\n" BODY;
static const char LAST[] =
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 58\r\nConnection: close\r\n\r\n" BODY;
static const char TOO_LARGE[] = "HTTP/1.1 431 Request Header Fields Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
static const char CHUNKED[] = "HTTP/1.1 501 Not Implemented\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

struct connection {
    size_t have;             /* bytes of an unfinished head */
    unsigned long long body; /* bytes of the request's body still to come, after which it is answered */
    int head_only, close;
    char bytes[HEAD_LIMIT];
};
static struct connection *connections[MAX_FD]; /* null where the descriptor is a listener, or nothing */
static const int on = 1;

static void hang_up(int fd) {
    free(connections[fd]);
    connections[fd] = NULL;
    close(fd);
}

/* Answers are far smaller than a socket's buffer and wait for the next request, so a short write means a peer that
 * does not read: it is cut off. */
static int say(int fd, const char *text, size_t length) {
    return send(fd, text, length, MSG_NOSIGNAL) == (ssize_t)length;
}

static int answer(int fd, struct connection *c) {
    int sent = c->head_only ? say(fd, HEAD, sizeof HEAD - 1)
               : c->close   ? say(fd, LAST, sizeof LAST - 1)
                            : say(fd, WHOLE, sizeof WHOLE - 1);
    return sent && !c->close;
}

static const char *value_of(const char *line, const char *end, const char *name) {
    size_t n = strlen(name);
    if ((size_t)(end - line) <= n || line[n] != ':' || strncasecmp(line, name, n)) return NULL;
    for (line += n + 1; line < end && (*line == ' ' || *line == '\t'); line++) {}
    return line;
}

/* Reads a whole head; false where the connection cannot go on. */
static int read_head(int fd, struct connection *c, const char *head, const char *end) {
    const char *line = memchr(head, '\n', end - head);
    c->body = 0;
    c->head_only = !strncmp(head, "HEAD ", 5);
    c->close = line - head < 10 || !memmem(line - 10, 10, "HTTP/1.1", 8);
    for (line++; line < end;) {
        const char *next = memchr(line, '\n', end - line), *value;
        next = next ? next + 1 : end;
        if ((value = value_of(line, next, "content-length"))) c->body = strtoull(value, NULL, 10);
        else if ((value = value_of(line, next, "connection"))) c->close |= !strncasecmp(value, "close", 5);
        else if (value_of(line, next, "transfer-encoding")) { say(fd, CHUNKED, sizeof CHUNKED - 1); return 0; }
        line = next;
    }
    return 1;
}

/* Takes what lies in the buffer, which may end in the middle of a head or of a body. */
static int take(int fd, struct connection *c, size_t scanned) {
    size_t at = 0;
    while (at < c->have) {
        const char *start = c->bytes + at;
        size_t from = scanned > at + 3 ? scanned - at - 3 : 0;
        const char *end = memmem(start + from, c->have - at - from, "\r\n\r\n", 4);
        if (!end) break;
        end += 4;
        if (!read_head(fd, c, start, end)) return 0;
        at = end - c->bytes;
        size_t here = c->have - at < c->body ? c->have - at : c->body;
        at += here;
        c->body -= here;
        if (c->body) break;
        if (!answer(fd, c)) return 0;
    }
    memmove(c->bytes, c->bytes + at, c->have -= at);
    if (c->have < HEAD_LIMIT) return 1;
    say(fd, TOO_LARGE, sizeof TOO_LARGE - 1);
    return 0;
}

static void serve(int fd) {
    struct connection *c = connections[fd];
    ssize_t n = recv(fd, c->bytes + c->have, HEAD_LIMIT - c->have, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n <= 0) { hang_up(fd); return; }
    if (c->body) { /* the buffer is empty while a body is awaited */
        size_t swallowed = (unsigned long long)n < c->body ? (size_t)n : c->body;
        c->body -= swallowed;
        if (c->body) return;
        if (!answer(fd, c)) { hang_up(fd); return; }
        memmove(c->bytes, c->bytes + swallowed, n -= swallowed);
    }
    size_t scanned = c->have;
    c->have += n;
    if (!take(fd, c, scanned)) hang_up(fd);
}

static void welcome(int epoll, int listener) {
    int fd = accept4(listener, 0, 0, SOCK_NONBLOCK);
    if (fd < 0) return;
    if (fd >= MAX_FD || !(connections[fd] = malloc(sizeof(struct connection)))) { close(fd); return; }
    connections[fd]->have = connections[fd]->body = 0;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

static void listen_at(int epoll, int port) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (void *)&at, sizeof at) || listen(fd, 4096)) { perror("listen"); exit(1); }
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

int main(int argc, char **argv) {
    if (argc < 2 || argc > MAX_PORTS) { fprintf(stderr, "usage: upstream PORT...\n"); return 2; }
    int epoll = epoll_create1(0);
    for (int i = 1; i < argc; i++) listen_at(epoll, atoi(argv[i]));
    struct epoll_event ready[BATCH];
    for (;;) {
        int n = epoll_wait(epoll, ready, BATCH, -1);
        for (int i = 0; i < n; i++) {
            int fd = ready[i].data.fd;
            if (connections[fd]) serve(fd);
            else welcome(epoll, fd);
        }
    }
}
