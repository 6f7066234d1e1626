/*
** Bodies on disk. A download goes to a file without a name in the target's folder, which a process that is killed
** leaves no trace of; where the file system has none, to a temporary file beside the target. Either takes the
** target's name only when it is whole. An upload is read in place, so that a retry can begin anew.
*/
#ifndef MR_SINK_H
#define MR_SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"

struct mr_sink {
  char *path;      /* the target */
  char *temporary; /* NULL until opened, and for a file without a name */
  int descriptor;  /* -1 until opened */
  unsigned mode;   /* permissions of the new file */
  bool replaces;   /* they are those of another, whatever the umask is */
  uint64_t size;
};

/* Copies 'path'. MR_LIMIT: no memory. Nothing is created yet. */
enum mr_kind mr_sink_init(struct mr_sink *sink, const char *path, struct mr_error *error);
/* Whether a file could be made there by now; asked before a request is sent, whose answer would be lost. Creates
** nothing. */
enum mr_kind mr_sink_check(struct mr_sink *sink, struct mr_error *error);
/* Empties one that is open. */
enum mr_kind mr_sink_open(struct mr_sink *sink, struct mr_error *error);
enum mr_kind mr_sink_write(struct mr_sink *sink, const char *bytes, size_t size,
                           struct mr_error *error);
enum mr_kind mr_sink_finish(struct mr_sink *sink, struct mr_error *error); /* renames */
/* Deletes what is not finished; fine when there is nothing. */
void mr_sink_discard(struct mr_sink *sink);
void mr_sink_free(struct mr_sink *sink);  /* discards, too */
void mr_sink_leave(struct mr_sink *sink); /* to another process, which goes on with it */

struct mr_source {
  char *path;
  int descriptor;
  uint64_t size, offset;
};

enum mr_kind mr_source_open(struct mr_source *source, const char *path, struct mr_error *error);
/* -1: failed or shrunk. */
int64_t mr_source_read(struct mr_source *source, char *bytes, size_t size);
void mr_source_free(struct mr_source *source);

#endif
