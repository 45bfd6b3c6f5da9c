// epoll FILE PORT: the least that an HTTP server can do. It answers whatever ends with an empty line with the bytes of a
// file, from one epoll loop in each of two processes: no parsing, no limits, no timers, no errors. An upper bound.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

int main(int argc, char **argv) {
  if (argc != 3) return 64;
  static char answer[1 << 20], input[1 << 16];
  FILE *file = fopen(argv[1], "r");
  if (file == NULL) return 66;
  size_t body = fread(input, 1, sizeof input, file);
  size_t length = (size_t)sprintf(answer, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n", body);
  memcpy(answer + length, input, body);
  length += body;
  fork();
  int on = 1, listener = socket(AF_INET, SOCK_STREAM, 0), loop = epoll_create1(0);
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  setsockopt(listener, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  struct sockaddr_in address = {AF_INET, htons((unsigned short)atoi(argv[2])), {htonl(INADDR_LOOPBACK)}, {0}};
  if (bind(listener, (struct sockaddr *)&address, sizeof address) != 0 || listen(listener, 1024) != 0) return 69;
  struct epoll_event event = {EPOLLIN, {.fd = listener}}, events[256];
  for (epoll_ctl(loop, EPOLL_CTL_ADD, listener, &event);;) {
    for (int n = epoll_wait(loop, events, 256, -1), i = 0; i < n; i++) {
      int client = events[i].data.fd;
      if (client == listener) {
        event.data.fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
        setsockopt(event.data.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        epoll_ctl(loop, EPOLL_CTL_ADD, event.data.fd, &event);
      } else {
        ssize_t count = read(client, input, sizeof input);
        if (count <= 0) close(client);
        else if (memcmp(input + count - 4, "\r\n\r\n", 4) == 0 && write(client, answer, length) < 0) close(client);
      }
    }
  }
}
