/*
** How exchanges come onto the connections that those of an origin share. libcurl 7.88 waits for the first connection to
** a host; later, when all that are there have as many streams as they may, each further exchange opens one of its own,
** although most would have a place on the first of these. So they enter one after the other: who finds no place opens a
** connection, and while as many are opened as can be seen to be needed, the others wait here.
**
** What the server speaks is not told before it answers, only whether an exchange opened a connection. An origin is taken
** for one of HTTP/1.1 as soon as a second opens one beside the first: then all go on at once. An answer says it for sure.
*/
#include "curl_parts.h"

#define MOST_WIDTH 1024 /* more than there may be connections */

void mr_curl_line_add(struct mr_curl_line *line, struct mr_curl_handle *handle) {
  handle->next = NULL;
  if (line->last)
    line->last->next = handle;
  else
    line->first = handle;
  line->last = handle;
}

/* It is in the line. */
void mr_curl_line_leave(struct mr_curl_line *line, struct mr_curl_handle *handle) {
  struct mr_curl_handle *before = NULL;
  for (struct mr_curl_handle *one = line->first; one != handle; one = one->next)
    before = one;
  if (before)
    before->next = handle->next;
  else
    line->first = handle->next;
  if (line->last == handle) line->last = before;
  handle->next = NULL;
}

static struct mr_curl_entry *entry_of(const struct mr_curl_handle *handle) {
  return &handle->origin->entry;
}

/* Connections that may be opened at a time. Were all full, those that wait needed so many as they are times those that
** have a place. But one that is closing takes no more either: so there is one at first, and each that is there and does
** not suffice lets twice as many open. */
static size_t most_opening(const struct mr_curl_entry *entry) {
  size_t placed = entry->placed > 0 ? entry->placed : 1;
  size_t useful = (entry->waiting_count + placed - 1) / placed;
  return useful < entry->width ? useful : entry->width;
}

/* The first of those that wait. */
static bool may_enter(const struct mr_curl_entry *entry) {
  if (entry->sharing == MR_SHARING_NEVER) return true;
  return !entry->seeker && (entry->opening < most_opening(entry) || entry->free_places > 0);
}

static void take_off(struct mr_curl_handle *handle) {
  struct mr_curl_entry *entry = entry_of(handle);
  mr_curl_line_leave(&entry->waiting, handle);
  if (--entry->waiting_count == 0) entry->width = 1;
}

/* The time to connect counts from the start of the exchange. */
static void admit(struct mr_curl_handle *handle) {
  struct mr_transport *transport = handle->pool->transport;
  struct mr_curl_entry *entry = entry_of(handle);
  bool extra = entry->opening >= most_opening(entry);
  take_off(handle);
  mr_curl_setup_patience(handle, transport->now_us - handle->started_us);
  handle->progress.stage = MR_STAGE_NONE;
  if (entry->sharing != MR_SHARING_NEVER) {
    handle->progress.stage = MR_STAGE_SEEKING;
    entry->seeker = handle;
    entry->seeker_is_extra = extra;
  }
  handle->progress.launching = true;
  mr_curl_line_add(&transport->launching, handle);
}

static void admit_all(struct mr_curl_entry *entry) {
  while (entry->waiting.first && may_enter(entry))
    admit(entry->waiting.first);
}

bool mr_curl_entry_waits(struct mr_curl_handle *handle) {
  struct mr_curl_entry *entry = entry_of(handle);
  bool shares = handle->multiplexed && !handle->fresh && !handle->connects_only;
  if (!shares || handle->progress.stage || entry->sharing == MR_SHARING_NEVER) return false;
  handle->progress.stage = MR_STAGE_WAITING;
  entry->waiting_count++;
  mr_curl_line_add(&entry->waiting, handle);
  admit_all(entry);
  return true;
}

static void learn(struct mr_curl_entry *entry, enum mr_curl_sharing sharing) {
  entry->sharing = sharing;
  admit_all(entry);
}

/* One that was let in for a free place, and did not find it, is the last of these until a connection is there: the
** places are on connections that are closing. */
void mr_curl_entry_opens(struct mr_curl_handle *handle) {
  struct mr_curl_entry *entry = entry_of(handle);
  if (handle->progress.stage != MR_STAGE_SEEKING) return;
  handle->progress.stage = MR_STAGE_OPENING;
  entry->seeker = NULL;
  entry->opening++;
  entry->free_places = 0;
  if (entry->seeker_is_extra) entry->is_vain = true;
  if (entry->sharing == MR_SHARING_UNKNOWN && entry->placed > 0)
    learn(entry, MR_SHARING_NEVER);
  else
    admit_all(entry);
}

static void joins(struct mr_curl_entry *entry) {
  entry->seeker = NULL;
  if (entry->free_places > 0) entry->free_places--;
  if (entry->sharing == MR_SHARING_UNKNOWN && entry->placed > 0) entry->sharing = MR_SHARING_KNOWN;
}

static void has_opened(struct mr_curl_entry *entry) {
  entry->opening--;
  entry->is_vain = false;
  if (entry->width < MOST_WIDTH) entry->width *= 2;
}

void mr_curl_entry_has_place(struct mr_curl_handle *handle) {
  struct mr_curl_entry *entry = entry_of(handle);
  enum mr_curl_stage stage = handle->progress.stage;
  if (stage != MR_STAGE_SEEKING && stage != MR_STAGE_OPENING) return;
  if (stage == MR_STAGE_SEEKING)
    joins(entry);
  else
    has_opened(entry);
  handle->progress.stage = MR_STAGE_PLACED;
  entry->placed++;
  admit_all(entry);
}

void mr_curl_entry_answered(struct mr_curl_handle *handle) {
  if (!handle->multiplexed) return;
  struct mr_curl_entry *entry = entry_of(handle);
  enum mr_curl_sharing sharing =
      handle->progress.http_major >= 2 ? MR_SHARING_KNOWN : MR_SHARING_NEVER;
  if (sharing != entry->sharing) learn(entry, sharing);
}

void mr_curl_entry_leave(struct mr_curl_handle *handle) {
  struct mr_curl_entry *entry = entry_of(handle);
  enum mr_curl_stage stage = handle->progress.stage;
  if (stage == MR_STAGE_NONE) return;
  handle->progress.stage = MR_STAGE_NONE;
  if (stage == MR_STAGE_WAITING) take_off(handle);
  if (stage == MR_STAGE_SEEKING) entry->seeker = NULL;
  if (stage == MR_STAGE_OPENING) entry->opening--;
  if (stage == MR_STAGE_PLACED) {
    entry->placed--;
    if (!entry->is_vain) entry->free_places++;
  }
  admit_all(entry);
}
