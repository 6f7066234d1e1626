/*
** The certificates of a test program, made before its first test and removed behind the last.
*/
#ifndef MADE_CERTIFICATES_H
#define MADE_CERTIFICATES_H

#include "certificates.h"

static struct certificates certificates;

static inline int make_certificates(void **state) {
  (void)state;
  certificates_make(&certificates);
  return 0;
}

static inline int remove_certificates(void **state) {
  (void)state;
  certificates_remove(&certificates);
  return 0;
}

#endif
