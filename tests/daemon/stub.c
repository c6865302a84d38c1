/* launchd's call, and that of macOS and the BSDs for the peer's uid, in terms of Linux: to be preloaded. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

int launch_activate_socket(const char *name, int **fds, size_t *count) {
    const char *code = getenv("STUB_ERRNO"), *path = getenv("STUB_SOCKET");
    if (code) return atoi(code);
    if (strcmp(name, "Listener")) return ENOENT;
    *count = path ? 1 : 0;
    *fds = malloc(sizeof(int));
    if (!path) return 0;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strncpy(address.sun_path, path, sizeof address.sun_path - 1);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) || listen(fd, 5)) return errno;
    (*fds)[0] = fd;
    return 0;
}

int getpeereid(int fd, unsigned *uid, unsigned *gid) {
    struct ucred peer;
    socklen_t size = sizeof peer;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size)) return -1;
    *uid = peer.uid;
    *gid = peer.gid;
    return 0;
}
