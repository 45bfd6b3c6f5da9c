// epoll FILE PORT [CERTIFICATE KEY]: the least that an HTTP server can do, over TLS with a certificate. It answers
// whatever ends with an empty line with the bytes of a file, from one epoll loop in each of two processes: no parsing, no
// limits, no timers, no errors. An upper bound.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <unistd.h>

struct client { int descriptor; SSL *tls; };

int main(int argc, char **argv) {
  if (argc != 3 && argc != 5) return 64;
  static char answer[1 << 20], input[1 << 16];
  FILE *file = fopen(argv[1], "r");
  if (file == NULL) return 66;
  size_t body = fread(input, 1, sizeof input, file);
  size_t length = (size_t)sprintf(answer, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n", body);
  memcpy(answer + length, input, body);
  length += body;
  SSL_CTX *context = argc == 5 ? SSL_CTX_new(TLS_server_method()) : NULL;
  if (context != NULL) {
    SSL_CTX_set_read_ahead(context, 1);  // One read for a record instead of two.
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
    if (SSL_CTX_use_certificate_chain_file(context, argv[3]) != 1) return 66;
    if (SSL_CTX_use_PrivateKey_file(context, argv[4], SSL_FILETYPE_PEM) != 1) return 66;
  }
  signal(SIGPIPE, SIG_IGN);  // A client may leave while it is written to.
  // The second process ends with the first one.
  if (fork() == 0) prctl(PR_SET_PDEATHSIG, SIGTERM);
  int on = 1, listener = socket(AF_INET, SOCK_STREAM, 0), loop = epoll_create1(0);
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  setsockopt(listener, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  struct sockaddr_in address = {AF_INET, htons((unsigned short)atoi(argv[2])), {htonl(INADDR_LOOPBACK)}, {0}};
  if (bind(listener, (struct sockaddr *)&address, sizeof address) != 0 || listen(listener, 1024) != 0) return 69;
  struct epoll_event event = {EPOLLIN, {.ptr = NULL}}, events[256];
  for (epoll_ctl(loop, EPOLL_CTL_ADD, listener, &event);;) {
    for (int n = epoll_wait(loop, events, 256, -1), i = 0; i < n; i++) {
      struct client *client = events[i].data.ptr;
      if (client == NULL) {
        client = calloc(1, sizeof *client);
        client->descriptor = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
        setsockopt(client->descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        if (context != NULL) {
          client->tls = SSL_new(context);
          SSL_set_fd(client->tls, client->descriptor);
          SSL_set_accept_state(client->tls);
        }
        event.data.ptr = client;
        epoll_ctl(loop, EPOLL_CTL_ADD, client->descriptor, &event);
        continue;
      }
      SSL *tls = client->tls;
      ssize_t count = tls ? SSL_read(tls, input, sizeof input) : read(client->descriptor, input, sizeof input);
      if (tls && count < 0 && SSL_get_error(tls, (int)count) == SSL_ERROR_WANT_READ) continue;
      if (count >= 4 && memcmp(input + count - 4, "\r\n\r\n", 4) == 0) {
        if (tls) SSL_write(tls, answer, (int)length);
        else if (write(client->descriptor, answer, length) < 0) count = 0;
      }
      if (count > 0) continue;
      close(client->descriptor);
      SSL_free(tls);
      free(client);
    }
  }
}
