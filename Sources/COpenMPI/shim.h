// MPI's handles and constants are macros, which Swift cannot see; these functions stand for them. Written to
// MPI 3.1, so that any MPI with a pkg-config file of that name will do; tested with Open MPI 4.1.
#ifndef CONTEXTURE_COPENMPI_SHIM_H
#define CONTEXTURE_COPENMPI_SHIM_H

#include <mpi.h>
#include <string.h>
#include <sys/prctl.h>

// A request by another name: a pointer in Open MPI, a number in MPICH.
typedef struct {
  MPI_Request handle;
} cmpi_request;

// The end of one request.
typedef struct {
  int bytes;      // what was received
  int error;      // an MPI error class, 0 for none
  int cancelled;  // 1 when it was called off before it met its other end
} cmpi_completion;

// The make and version of the MPI whose header this is, as the start of what its library calls itself.
static inline const char *cmpi_built_make(void) {
#if defined(OPEN_MPI)
  return "Open MPI";
#elif defined(MPICH_VERSION)
  return "MPICH";
#else
  return "an unknown MPI";
#endif
}

static inline int cmpi_built_major(void) {
#if defined(OPEN_MPI)
  return OMPI_MAJOR_VERSION;
#elif defined(MPICH_NUMVERSION)
  return MPICH_NUMVERSION / 10000000;
#else
  return 0;
#endif
}

// What the library that was loaded calls itself. `text` has room for cmpi_text_size() characters; MPI need
// not be running.
static inline int cmpi_text_size(void) {
  return MPI_MAX_LIBRARY_VERSION_STRING > MPI_MAX_ERROR_STRING ? MPI_MAX_LIBRARY_VERSION_STRING
                                                               : MPI_MAX_ERROR_STRING;
}

static inline int cmpi_running_version(char *text) {
  int length = 0;
  return MPI_Get_library_version(text, &length);
}

// Starts MPI for calls from this thread alone. Errors come back as codes from then on. Sleeps of this thread
// become exact to a microsecond instead of 50.
static inline int cmpi_start(int *provided, int *rank, int *size) {
  int error = MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, provided);
  if (error == MPI_SUCCESS) error = MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
  if (error == MPI_SUCCESS) error = MPI_Comm_rank(MPI_COMM_WORLD, rank);
  if (error == MPI_SUCCESS) error = MPI_Comm_size(MPI_COMM_WORLD, size);
#ifdef PR_SET_TIMERSLACK
  prctl(PR_SET_TIMERSLACK, 1000UL, 0UL, 0UL, 0UL);
#endif
  return error;
}

static inline int cmpi_has_threads(int provided) { return provided >= MPI_THREAD_FUNNELED; }

// The largest tag a message may have; 32767 at least.
static inline int cmpi_largest_tag(void) {
  int *largest = NULL;
  int found = 0;
  MPI_Comm_get_attr(MPI_COMM_WORLD, MPI_TAG_UB, &largest, &found);
  return found ? *largest : 32767;
}

static inline int cmpi_send(const void *bytes, int count, int to, int tag, cmpi_request *request) {
  return MPI_Isend(bytes, count, MPI_BYTE, to, tag, MPI_COMM_WORLD, &request->handle);
}

static inline int cmpi_receive(void *bytes, int count, int from, int tag, cmpi_request *request) {
  return MPI_Irecv(bytes, count, MPI_BYTE, from, tag, MPI_COMM_WORLD, &request->handle);
}

// Lets MPI progress, and tells whether a request has ended; if so, how.
static inline int cmpi_test(cmpi_request *request, cmpi_completion *completion) {
  MPI_Status status;
  int done = 0;
  status.MPI_ERROR = MPI_SUCCESS;
  int error = MPI_Test(&request->handle, &done, &status);
  if (error == MPI_SUCCESS && !done) return 0;
  memset(completion, 0, sizeof *completion);
  if (error != MPI_SUCCESS) {
    MPI_Error_class(error, &completion->error);
  } else {
    MPI_Test_cancelled(&status, &completion->cancelled);
    if (!completion->cancelled) MPI_Get_count(&status, MPI_BYTE, &completion->bytes);
  }
  return 1;
}

static inline int cmpi_is_truncation(int error) { return error == MPI_ERR_TRUNCATE; }

// Calls a receive off; it still has to be tested to its end.
static inline int cmpi_cancel(cmpi_request *request) { return MPI_Cancel(&request->handle); }

// The words for an error code, in cmpi_text_size() characters.
static inline void cmpi_error_text(int error, char *text) {
  int length = 0;
  if (MPI_Error_string(error, text, &length) != MPI_SUCCESS) strcpy(text, "unknown error");
}

static inline void cmpi_abort(int code) { MPI_Abort(MPI_COMM_WORLD, code); }

static inline int cmpi_finish(void) { return MPI_Finalize(); }

#endif
