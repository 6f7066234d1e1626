#include "failing_rounds.h"

#include <errno.h>
#include <ftw.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/random.h"

#define PROCESSES_MAX     16
#define ROUNDS_OF_PROCESS 500 /* what they leave behind must not grow for ever */
#define ROUND_SECONDS_MAX 60  /* a hang */
#define PROBLEMS_MAX      20  /* enough to think about */
#define PROGRESS_SECONDS  10
#define ROUNDS_AT_FIRST   16 /* the first n of all, one by one, in every sample */
#define TOLERATED_MISSES  8  /* one in so many: a busy machine makes fewer allocations */

/* {====== What the processes share ====== */

struct seat {
  pid_t process; /* 0: nobody */
  struct failing_round round;
  char problem[2000];
};

struct board {
  atomic_size_t next, done, missed; /* rounds */
  size_t all, at_start;             /* allocations when nothing fails */
  struct seat seats[PROCESSES_MAX];
};

static struct board *board;
static struct seat *seat; /* of this process */

void failing_rounds_count(size_t all, size_t at_start) {
  if (board->next > 0) return; /* the others' counts are no news */
  board->all = all;
  board->at_start = at_start;
}

void failing_rounds_problem(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(seat->problem, sizeof seat->problem, format, arguments);
  va_end(arguments);
  _exit(EXIT_FAILURE);
}

/* }====== */

/* {====== Which rounds ====== */

struct plan {
  struct failing_round *rounds;
  size_t count;
  bool is_full; /* not a sample */
};

/* A round of each mode. */
static void add(struct plan *plan, size_t n) {
  for (int mode = 0; mode < FAIL_MODES; mode++)
    plan->rounds[plan->count++] = (struct failing_round){.n = n, .mode = (enum failing_mode)mode};
}

static void add_range(struct plan *plan, size_t first, size_t last) {
  for (size_t n = first; n <= last; n++)
    add(plan, n);
}

/* The same in every run, unless another is asked for. */
static uint64_t sample_seed(void) {
  const char *given = getenv("MOONREST_SAMPLE_SEED");
  return given ? strtoull(given, NULL, 10) : 1;
}

/* Half of the sample is spread evenly, half is the seed's. */
static void add_sample(struct plan *plan, size_t first, size_t last, size_t samples) {
  struct mr_random random;
  mr_random_seed(&random, sample_seed() + first);
  for (size_t i = 0; i < samples; i++) {
    size_t span = last + 1 - first;
    add(plan, first + span * i / samples);
    add(plan, first + (size_t)(mr_random_next(&random) % span));
  }
}

/* Twice as many in frames as in the start, which has its first one by one. */
static void add_samples(struct plan *plan, bool starts_whole, size_t samples) {
  printf("the sample's seed is %llu\n", (unsigned long long)sample_seed());
  if (!starts_whole) add_range(plan, 1, ROUNDS_AT_FIRST);
  if (!starts_whole) add_sample(plan, 1, board->at_start, samples / 2);
  add_sample(plan, board->at_start + 1, board->all, samples);
}

/* What the range has of those that there are; may be nothing. */
static bool make_plan(struct plan *plan, bool starts_whole, size_t samples) {
  const char *range = getenv("MOONREST_EVERY_ALLOCATION");
  size_t least = starts_whole ? board->at_start + 1 : 1, first = least, last = board->all;
  plan->is_full = range != NULL;
  if (range && strcmp(range, "all") != 0 && sscanf(range, "%zu,%zu", &first, &last) < 1)
    return false;
  if (first < least) first = least;
  if (last > board->all) last = board->all;
  size_t most = range ? 1 + (last < first ? 0 : last - first) : ROUNDS_AT_FIRST + 3 * samples;
  plan->rounds = calloc(FAIL_MODES * most, sizeof *plan->rounds);
  if (!plan->rounds) return false;
  if (range)
    add_range(plan, first, last);
  else
    add_samples(plan, starts_whole, samples);
  return true;
}

/* }====== */

/* {====== A process ====== */

/* Limits are shared through $XDG_RUNTIME_DIR: each has an empty one, inside of 'folder'. */
static void have_runtime_folder(const char *folder) {
  char path[200];
  snprintf(path, sizeof path, "%s/%ld", folder, (long)getpid());
  if (mkdir(path, 0700) != 0 || setenv("XDG_RUNTIME_DIR", path, 1) != 0)
    failing_rounds_problem("cannot make %s: %s", path, strerror(errno));
}

static void play_one(const struct failing_program *program, const struct failing_round *round) {
  seat->round = *round;
  alarm(ROUND_SECONDS_MAX);
  if (!program->play(round)) atomic_fetch_add(&board->missed, 1);
  alarm(0);
}

/* At first two in which nothing fails: what the process keeps for good is there after one. */
static void play_some(const struct failing_program *program, const struct plan *plan) {
  play_one(program, &(struct failing_round){.n = 0});
  play_one(program, &(struct failing_round){.n = 0});
  for (int left = ROUNDS_OF_PROCESS; left > 0; left--) {
    size_t next = atomic_fetch_add(&board->next, 1);
    if (next >= plan->count) return;
    play_one(program, &plan->rounds[next]);
    atomic_fetch_add(&board->done, 1);
  }
}

static void work(const struct failing_program *program, const struct plan *plan,
                 const char *folder) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  have_runtime_folder(folder);
  if (program->begin) program->begin();
  play_some(program, plan);
  if (program->end) program->end();
  exit(EXIT_SUCCESS);
}

/* }====== */

/* {====== All of them ====== */

struct crew {
  const struct failing_program *program;
  const struct plan *plan;
  char folder[64];
  size_t problems;
};

static void hire(struct crew *crew, struct seat *free_seat) {
  free_seat->problem[0] = '\0';
  fflush(NULL);
  pid_t process = fork();
  if (process == 0) {
    seat = free_seat;
    work(crew->program, crew->plan, crew->folder);
  }
  free_seat->process = process > 0 ? process : 0;
}

static const char *const mode_names[FAIL_MODES] = {"", " and its second try", " and all after it"};

static void tell(struct crew *crew, const struct seat *left, int status) {
  const struct failing_round *round = &left->round;
  crew->problems++;
  fprintf(stderr, "%s: n = %zu%s: ", crew->program->name, round->n, mode_names[round->mode]);
  if (left->problem[0])
    fprintf(stderr, "%s\n", left->problem);
  else if (WIFSIGNALED(status))
    fprintf(stderr, "ended by signal %d%s\n", WTERMSIG(status),
            WTERMSIG(status) == SIGALRM ? ": it hangs" : "");
  else
    fprintf(stderr, "ended with status %d\n", WEXITSTATUS(status));
}

/* Returns how many processes are left. */
static int look_after(struct crew *crew, int processes) {
  int left = 0;
  for (int i = 0; i < processes; i++) {
    struct seat *one = &board->seats[i];
    int status = 0;
    if (one->process && waitpid(one->process, &status, WNOHANG) == one->process) {
      one->process = 0;
      if (status != 0) tell(crew, one, status);
    }
    bool more = atomic_load(&board->next) < crew->plan->count && crew->problems < PROBLEMS_MAX;
    if (!one->process && more) hire(crew, one);
    left += one->process != 0;
  }
  return left;
}

static void tell_progress(const struct crew *crew, time_t began) {
  size_t done = atomic_load(&board->done), all = crew->plan->count;
  long spent = (long)(time(NULL) - began);
  long left = done > 0 ? (long)((double)spent / (double)done * (double)(all - done)) : 0;
  fprintf(stderr, "%s: %zu of %zu rounds, %zu problems, %ld:%02ld gone, %ld:%02ld to go\n",
          crew->program->name, done, all, crew->problems, spent / 60, spent % 60, left / 60,
          left % 60);
}

static void work_through(struct crew *crew, int processes) {
  time_t began = time(NULL), told = began;
  while (look_after(crew, processes) > 0) {
    struct timespec moment = {.tv_nsec = 20000000};
    nanosleep(&moment, NULL);
    if (!crew->plan->is_full || time(NULL) - told < PROGRESS_SECONDS) continue;
    told = time(NULL);
    tell_progress(crew, began);
  }
  if (crew->plan->is_full) tell_progress(crew, began);
}

static int remove_one(const char *path, const struct stat *state, int kind, struct FTW *place) {
  (void)state;
  (void)kind;
  (void)place;
  return remove(path);
}

static int processors(void) {
  long count = sysconf(_SC_NPROCESSORS_ONLN);
  return count < 1 ? 1 : count > PROCESSES_MAX ? PROCESSES_MAX : (int)count;
}

static bool open_board(struct crew *crew) {
  void *page = mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) return false;
  board = page;
  strcpy(crew->folder, "/tmp/moonrest-rounds-XXXXXX");
  return mkdtemp(crew->folder) != NULL;
}

static size_t misses(const struct plan *plan) {
  size_t missed = atomic_load(&board->missed);
  return missed * TOLERATED_MISSES > plan->count ? missed : 0;
}

/* The first process only counts: there is nothing in the plan yet. */
static size_t count_and_play(struct crew *crew, size_t samples) {
  struct plan plan = {0};
  crew->plan = &plan;
  hire(crew, &board->seats[0]);
  work_through(crew, 1);
  if (crew->problems > 0) return crew->problems;
  if (board->all <= board->at_start || !make_plan(&plan, crew->program->starts_whole, samples))
    return 1;
  atomic_store(&board->next, 0);
  work_through(crew, processors());
  printf(
      "%s: %zu allocations, %zu of them in frames; %zu rounds, in %zu of which there was no n-th\n",
      crew->program->name, board->all, board->all - board->at_start, plan.count,
      atomic_load(&board->missed));
  free(plan.rounds);
  return crew->problems + misses(&plan);
}

size_t failing_rounds_run(const struct failing_program *program, size_t samples) {
  struct crew crew = {.program = program};
  if (!open_board(&crew)) return 1;
  size_t problems = count_and_play(&crew, samples);
  nftw(crew.folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
  munmap(board, sizeof *board);
  board = NULL;
  return problems;
}

/* }====== */
