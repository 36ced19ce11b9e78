/* id: random identifiers as Docker makes them: 64 hex digits, the first 12 never all decimal. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ID_LEN 64
void id_new(char out[ID_LEN + 1]);
void random_bytes(void *out, size_t n); /* from the kernel; aborts when it has none */
bool id_valid(const char *s);
