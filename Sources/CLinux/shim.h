#pragma once
// What Swift's Glibc module leaves out: epoll and eventfd are not among its headers, and accept4, mkostemp and
// pthread_setname_np are hidden there, because it is compiled without _GNU_SOURCE.
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

// <sys/socket.h> stays out: Glibc's types would then seem to be ours.
struct sockaddr;
extern int accept4(int fd, struct sockaddr *address, unsigned int *length, int flags);
extern int mkostemp(char *path, int flags);
extern int pthread_setname_np(pthread_t thread, const char *name);

// Enumerators and macros of different C types: here each has the type of the argument that it is passed as.
static const int topitems_epoll_cloexec = EPOLL_CLOEXEC;
static const unsigned int topitems_epollin = EPOLLIN;
static const unsigned int topitems_epollout = EPOLLOUT;
static const unsigned int topitems_epollerr = EPOLLERR;
static const unsigned int topitems_epollhup = EPOLLHUP;
static const unsigned int topitems_epollrdhup = EPOLLRDHUP;
static const int topitems_eventfd_flags = EFD_CLOEXEC | EFD_NONBLOCK;
