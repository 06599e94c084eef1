// Simulated traffic in the program: the content of bologna.jsonl.
#ifndef CTRAFFICSTATES_H
#define CTRAFFICSTATES_H

#include <stddef.h>

/// Returns the first byte; there is no terminating zero.
const unsigned char *traffic_states(size_t *count);

#endif
