#include "fork_mark.h"

#include <stddef.h>
#include <sys/mman.h>
#include <unistd.h>

static size_t page_size(void) {
  return (size_t)sysconf(_SC_PAGESIZE);
}

static volatile unsigned char *make_page(void) {
#ifdef MADV_WIPEONFORK
  void *page = mmap(NULL, page_size(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) return NULL;
  if (madvise(page, page_size(), MADV_WIPEONFORK) == 0) return page;
  munmap(page, page_size());
#endif
  return NULL;
}

/* Set anew in a child, it is the child's. */
void mr_fork_mark_set(struct mr_fork_mark *mark) {
  if (!mark->page) mark->page = make_page();
  if (mark->page) mark->page[0] = 1;
  mark->process = (int)getpid();
}

void mr_fork_mark_free(struct mr_fork_mark *mark) {
  if (mark->page) munmap((void *)mark->page, page_size());
  mark->page = NULL;
}

bool mr_fork_mark_is_child(const struct mr_fork_mark *mark) {
  return mark->page ? mark->page[0] == 0 : mark->process != (int)getpid();
}
