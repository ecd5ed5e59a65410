/* An HTTP/1.1 server whose latency is known, to measure injectors with: one epoll loop, one answer of 60 bytes. Its
 * paths say when it answers:
 *
 *   /            at once
 *   /delay/MS    after so many milliseconds
 *   /spread      after 5, 20, 40 or 80 ms: 80, 14, 4 and 2 of a hundred requests, so that p(50), p(90), p(95) and p(99)
 *                lie in the middle of these
 *   /stall/MS    at once, and then nobody is answered for so many milliseconds
 *   /count       how many requests it has answered
 *   /truth       how long it has really held answers of /spread since it was last asked, as percentiles in us
 *
 * Bodies of requests are not read, and a request must come in one piece: what injectors send here does.
 *
 *   gcc -O2 -o timed timed.c && ./timed 9081
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
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MAX_FD = 65536, BATCH = 512, LARGEST_REQUEST = 8192, MOST_HELD = 1 << 20 };
static const int64_t MS = 1000000, NAP = 1000 * MS;

#define BODY "{\"message\":\"Hello from the server that knows its latency.\"}\n"
_Static_assert(sizeof BODY - 1 == 60, "the body is 60 bytes");
static const char ANSWER[] = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 60\r\n\r\n" BODY;

/* An answer that waits; serial tells whether the descriptor is still the same connection. */
struct held { int64_t due, came; int fd; uint32_t serial; int is_spread; };
static struct held heap[MAX_FD];
static int heap_count;
static uint32_t serials[MAX_FD];
static uint32_t held_us[MOST_HELD];
static long held_count, answered, spread_number;

static int64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000 * MS + t.tv_nsec;
}

static void push(struct held item) {
    int at = heap_count++;
    while (at > 0 && heap[(at - 1) / 2].due > item.due) { heap[at] = heap[(at - 1) / 2]; at = (at - 1) / 2; }
    heap[at] = item;
}

static struct held pop(void) {
    struct held first = heap[0], last = heap[--heap_count];
    int at = 0, child;
    while ((child = 2 * at + 1) < heap_count) {
        if (child + 1 < heap_count && heap[child + 1].due < heap[child].due) child++;
        if (heap[child].due >= last.due) break;
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = last;
    return first;
}

static void hang_up(int fd) { serials[fd]++; close(fd); }

static void say(int fd, const char *text, size_t length) {
    if (send(fd, text, length, MSG_NOSIGNAL) != (ssize_t)length) hang_up(fd);
}

static void answer(int fd) {
    answered++;
    say(fd, ANSWER, sizeof ANSWER - 1);
}

static void say_text(int fd, const char *text) {
    char whole[512];
    int length = snprintf(whole, sizeof whole, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s", strlen(text), text);
    say(fd, whole, length);
}

static int ascending(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static void say_truth(int fd) {
    char text[256];
    qsort(held_us, held_count, sizeof *held_us, ascending);
    uint32_t at[4];
    const double parts[] = {0.5, 0.9, 0.95, 0.99};
    for (int i = 0; i < 4; i++) at[i] = held_count ? held_us[(long)(parts[i] * (held_count - 1))] : 0;
    snprintf(text, sizeof text, "{\"count\": %ld, \"p50_us\": %u, \"p90_us\": %u, \"p95_us\": %u, \"p99_us\": %u}\n",
             held_count, at[0], at[1], at[2], at[3]);
    held_count = 0;
    say_text(fd, text);
}

static int64_t spread(void) {
    long place = spread_number++ * 37 % 100; /* the slow ones do not come in a row */
    return (place < 80 ? 5 : place < 94 ? 20 : place < 98 ? 40 : 80) * MS;
}

static void stall(int64_t ns) {
    struct timespec t = {.tv_sec = ns / (1000 * MS), .tv_nsec = ns % (1000 * MS)};
    nanosleep(&t, NULL);
}

static void act(int fd, const char *path) {
    int64_t at = now();
    char count[32];
    if (!strncmp(path, "/delay/", 7)) {
        push((struct held){.due = at + atol(path + 7) * MS, .came = at, .fd = fd, .serial = serials[fd]});
    } else if (!strncmp(path, "/spread", 7)) {
        push((struct held){.due = at + spread(), .came = at, .fd = fd, .serial = serials[fd], .is_spread = 1});
    } else if (!strncmp(path, "/count", 6)) {
        snprintf(count, sizeof count, "%ld\n", answered);
        say_text(fd, count);
    } else if (!strncmp(path, "/truth", 6)) {
        say_truth(fd);
    } else {
        answer(fd);
        if (!strncmp(path, "/stall/", 7)) stall(atol(path + 7) * MS);
    }
}

static void serve(int fd) {
    char request[LARGEST_REQUEST + 1];
    ssize_t n = recv(fd, request, LARGEST_REQUEST, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    request[n < 0 ? 0 : n] = 0;
    char *path = n > 0 ? strchr(request, ' ') : NULL;
    if (!path || !strstr(path, "\r\n\r\n") || heap_count == MAX_FD) { hang_up(fd); return; }
    act(fd, path + 1);
}

static void release(void) {
    int64_t at = now();
    while (heap_count && heap[0].due <= at) {
        struct held item = pop();
        if (item.serial != serials[item.fd]) continue;
        at = now();
        if (item.is_spread && held_count < MOST_HELD) held_us[held_count++] = (at - item.came) / 1000;
        answer(item.fd);
    }
}

static void welcome(int epoll, int listener) {
    static const int on = 1;
    int fd = accept4(listener, 0, 0, SOCK_NONBLOCK);
    if (fd < 0) return;
    if (fd >= MAX_FD) { close(fd); return; }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

int main(int argc, char **argv) {
    if (argc != 2) { fprintf(stderr, "usage: timed PORT\n"); return 2; }
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[1]))};
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int on = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), epoll = epoll_create1(0);
    prctl(PR_SET_TIMERSLACK, 1);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (void *)&at, sizeof at) || listen(listener, 4096)) { perror("listen"); return 1; }
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listener}, ready[BATCH];
    epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
    for (;;) {
        int64_t wait = heap_count ? heap[0].due - now() : NAP;
        if (wait < 0) wait = 0;
        if (wait > NAP - 1) wait = NAP - 1;
        struct timespec timeout = {.tv_nsec = wait};
        int n = epoll_pwait2(epoll, ready, BATCH, &timeout, NULL);
        for (int i = 0; i < n; i++) {
            if (ready[i].data.fd == listener) welcome(epoll, listener);
            else serve(ready[i].data.fd);
        }
        release();
    }
}
