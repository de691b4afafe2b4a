/* The node's file, which LABQUOTA_NVML names: read again whenever it is another one than last time.
 *
 * A mistake in it is told once for each of its versions, and there is no node until it is mended.
 */

#include "library.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct node *current;
static struct stat seen; /* of the file that `current` was read from; all zero: of none */

static void say(const char *path, const char *message)
{
    fprintf(stderr, "labquota's NVML: %s: %s\n", path, message);
}

static char *content_of(int file, off_t size)
{
    char *content = malloc((size_t)size + 1);
    ssize_t got = 0;
    for (ssize_t more; content && got < size && (more = read(file, content + got, (size_t)(size - got))) > 0;)
        got += more;
    if (content)
        content[got] = 0;
    return content;
}

static bool same(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static void refresh(void)
{
    static bool told;
    const char *path = getenv("LABQUOTA_NVML");
    struct stat now = {0};
    if (!path || stat(path, &now)) {
        if (!told)
            say(path ? path : "LABQUOTA_NVML", path ? "cannot be read" : "is not set; it names the node's file");
        told = true;
        node_free(current);
        current = NULL;
        seen = (struct stat){0};
        return;
    }
    if (same(&now, &seen))
        return;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    char mistake[256] = "cannot be read";
    node_free(current);
    current = NULL;
    seen = now;
    if (file >= 0 && !fstat(file, &seen)) {
        char *content = content_of(file, seen.st_size);
        current = content ? node_read(content, mistake, sizeof mistake) : NULL;
    }
    if (file >= 0)
        close(file);
    told = !current;
    if (!current)
        say(path, mistake);
}

const struct node *node_now(void)
{
    refresh();
    return current;
}
