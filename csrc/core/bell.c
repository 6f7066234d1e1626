#include "bell.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include "clock.h"
#include "descriptor.h"

int mr_bell_open(void) {
  return mr_descriptor_keep(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
}

void mr_bell_ring(int bell) {
  uint64_t one = 1;
  ssize_t size = write(bell, &one, sizeof one);
  (void)size; /* a full counter is readable already */
}

void mr_bell_drain(int descriptor) {
  uint64_t count;
  ssize_t size = read(descriptor, &count, sizeof count);
  (void)size; /* nothing there is as good as read */
}

int mr_bell_patience_ms(int64_t wait_us) {
  if (wait_us == MR_NEVER) return -1;
  if (wait_us <= 0) return 0;
  int64_t ms = wait_us / MR_MILLISECOND + (wait_us % MR_MILLISECOND != 0);
  return ms > INT32_MAX ? INT32_MAX : (int)ms;
}
