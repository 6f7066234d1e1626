#include "terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#define USUAL_COLUMNS 80

int mr_terminal_columns(int descriptor) {
  struct winsize size = {0};
  if (!isatty(descriptor)) return 0;
  if (ioctl(descriptor, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return USUAL_COLUMNS;
  return size.ws_col;
}
