// The kernels for any processor for which this package is compiled.
#define CK_SUFFIX base
#define CK_NAME "base"
#include "kernels_body.inc"
