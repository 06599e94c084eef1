// The kernels for any processor this package is compiled for.
#define CK_SUFFIX base
#define CK_NAME "base"
#include "kernels_body.inc"
