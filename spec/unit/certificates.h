/*
** Certificates for TLS tests, made anew for each run: an authority and what it signed, as PEM files in a
** new folder. All share one key.
*/
#ifndef CERTIFICATES_H
#define CERTIFICATES_H

struct certificates {
  char folder[64];
  char ca[96];       /* the authority */
  char other_ca[96]; /* one that signed nothing */
  char good[96];     /* for 127.0.0.1 and localhost */
  char wrong[96];    /* for elsewhere.test */
  char expired[96];  /* for 127.0.0.1, until yesterday */
  char client[96];   /* a client's */
  char key[96];      /* of all of them */
};

void certificates_make(struct certificates *certificates); /* fails the test when it cannot */
void certificates_remove(const struct certificates *certificates);

#endif
