/*
** Runs a program, some times in a row, and tells what the whole process cost:
**
**   launch TIMES PROGRAM ARGUMENT...
**
** After whatever the program itself prints comes a line "wall_us cpu_us peak_kib" for each run. This has to be a small
** program: Linux carries the peak memory of who starts a program over into it, so that an interpreter which starts
** another one would measure itself.
*/
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

extern char **environ;

static double now_us(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static double microseconds(struct timeval time) {
  return (double)time.tv_sec * 1e6 + (double)time.tv_usec;
}

/* Returns 0, or the exit status to pass on. */
static int run_once(char **command) {
  pid_t pid;
  int status;
  struct rusage used;
  double began_us = now_us();
  int problem = posix_spawnp(&pid, command[0], NULL, NULL, command, environ);
  if (problem) return fprintf(stderr, "launch: %s: %s\n", command[0], strerror(problem)), 127;
  if (wait4(pid, &status, 0, &used) < 0) return perror("launch: wait4"), 127;
  double wall_us = now_us() - began_us;
  if (!WIFEXITED(status) || WEXITSTATUS(status))
    return fprintf(stderr, "launch: %s failed (wait status %d)\n", command[0], status), 1;
  printf("%.1f %.1f %ld\n", wall_us, microseconds(used.ru_utime) + microseconds(used.ru_stime),
         used.ru_maxrss);
  return 0;
}

int main(int argc, char **argv) {
  if (argc < 3) return fprintf(stderr, "usage: launch TIMES PROGRAM ARGUMENT...\n"), 2;
  long times = strtol(argv[1], NULL, 10);
  for (long i = 0; i < times; i++) {
    fflush(stdout);
    int failed = run_once(argv + 2);
    if (failed) return failed;
  }
  return 0;
}
