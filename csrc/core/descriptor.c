#include "descriptor.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

int mr_descriptor_keep(int descriptor) {
  if (descriptor < 0 || descriptor > STDERR_FILENO) return descriptor;
  int kept = fcntl(descriptor, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
  int reason = errno;
  close(descriptor);
  errno = reason;
  return kept;
}
