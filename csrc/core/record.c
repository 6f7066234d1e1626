#include "record.h"

#include <string.h>

/* Above it most of the memory is the body's, which a copy does not make smaller. */
#define RECORD_MAX 2048

struct size_pair {
  uint16_t name, value;
};

struct mr_record {
  int64_t started_us, first_sent_us, finished_us, expected;
  uint64_t received;
  struct mr_timings timings;
  struct mr_attempt_note note;
  uint16_t status, field_count, text_size, url_size, answer_size;
  struct size_pair fields[]; /* then the fields' text, the URL and the answer */
};

static size_t sum(const struct mr_request *request) {
  return sizeof(struct mr_record) + request->headers.count * sizeof(struct size_pair) +
         request->headers.text.size + request->url.size + request->answer.size;
}

size_t mr_record_size(const struct mr_request *request) {
  bool plain = request->state == MR_STATE_DONE && request->note_count == 1 &&
               request->redirects == 0 && request->own_bucket_count == 0;
  bool bare = !request->has_upload && !request->to_file && !request->stream &&
              !request->url.secret && !request->error.kind;
  if (!plain || !bare || request->retry_after_us >= 0) return 0;
  size_t size = sum(request);
  return size <= RECORD_MAX ? size : 0;
}

static char *put(char *place, const struct mr_buffer *bytes) {
  if (bytes->size > 0) memcpy(place, bytes->data, bytes->size);
  return place + bytes->size;
}

void mr_record_fill(struct mr_record *record, const struct mr_request *request) {
  const struct mr_headers *headers = &request->headers;
  *record = (struct mr_record){
      .started_us = request->started_us,
      .first_sent_us = request->first_sent_us,
      .finished_us = request->finished_us,
      .expected = request->expected,
      .received = request->received,
      .timings = request->timings,
      .note = request->notes[0],
      .status = (uint16_t)request->status,
      .field_count = (uint16_t)headers->count,
      .text_size = (uint16_t)headers->text.size,
      .url_size = (uint16_t)request->url.size,
      .answer_size = (uint16_t)request->answer.size,
  };
  for (uint32_t i = 0; i < headers->count; i++)
    record->fields[i] = (struct size_pair){(uint16_t)headers->fields[i].name_size,
                                           (uint16_t)headers->fields[i].value_size};
  char *place = put((char *)&record->fields[headers->count], &headers->text);
  put(put(place, &request->url), &request->answer);
}

static enum mr_kind recall_fields(const struct mr_record *record, struct mr_headers *headers) {
  const char *text = (const char *)&record->fields[record->field_count];
  enum mr_kind kind = MR_NONE;
  for (uint32_t i = 0; i < record->field_count && !kind; i++) {
    struct mr_slice name = {text, record->fields[i].name};
    struct mr_slice value = {text + name.size, record->fields[i].value};
    kind = mr_headers_put(headers, name, value);
    text += name.size + value.size;
  }
  return kind;
}

bool mr_record_recall(const struct mr_record *record, struct mr_request *request) {
  const char *url = (const char *)&record->fields[record->field_count] + record->text_size;
  request->state = MR_STATE_DONE;
  request->status = record->status;
  request->started_us = record->started_us;
  request->first_sent_us = record->first_sent_us;
  request->finished_us = record->finished_us;
  request->expected = record->expected;
  request->received = record->received;
  request->timings = record->timings;
  request->notes[0] = record->note;
  request->note_count = 1;
  request->exchange.body_size = -1;
  enum mr_kind kind = recall_fields(record, &request->headers);
  if (!kind) kind = mr_buffer_append(&request->url, url, record->url_size);
  return !kind && !mr_buffer_append(&request->answer, url + record->url_size, record->answer_size);
}
