/* Bytes of hostile lines: none is looked at before it is known to lie inside its line.
 *
 * Every function takes a place and the end of the line, place <= end, and returns places between the two.
 */
#ifndef LINES_H
#define LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the first byte of a word must be its lowest");

#define EACH_BYTE UINT64_C(0x0101010101010101)
#define HIGH_BITS (EACH_BYTE * 0x80)

/* One line of a block, or false where it does not lie inside of it. */
static inline bool line_of(const uint8_t *data, uint64_t size, int64_t start, int64_t stop, const uint8_t **at,
                           const uint8_t **end)
{
    if (start < 0 || stop < start || (uint64_t)stop > size)
        return false;
    *at = data + start;
    *end = data + stop;
    return true;
}

static inline size_t left(const uint8_t *at, const uint8_t *end)
{
    return (size_t)(end - at);
}

static inline bool is_at(const uint8_t *at, const uint8_t *end, uint8_t octet)
{
    return at < end && *at == octet;
}

static inline bool is_digit(uint8_t octet)
{
    return (uint8_t)(octet - '0') < 10;
}

static inline uint64_t eight_bytes(const uint8_t *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof word);
    return word;
}

/* The high bit of each byte that is zero; above the first one also of some that are not. */
static inline uint64_t zeros(uint64_t word)
{
    return (word - EACH_BYTE) & ~word & HIGH_BITS;
}

/* The first byte that is ``stop`` or not plain: a control character, a quote, a backslash or no ASCII; else the end. */
static inline const uint8_t *plain_until(const uint8_t *at, const uint8_t *end, uint8_t stop)
{
    while (left(at, end) >= 8) {
        uint64_t word = eight_bytes(at);
        uint64_t odd = zeros(word ^ EACH_BYTE * stop) | zeros(word ^ EACH_BYTE * '"') | zeros(word ^ EACH_BYTE * '\\');
        odd |= (((word - EACH_BYTE * ' ') & ~word) | word) & HIGH_BITS;
        if (odd)
            return at + (__builtin_ctzll(odd) >> 3);
        at += 8;
    }
    while (at < end && *at != stop && *at >= ' ' && *at < 0x80 && *at != '"' && *at != '\\')
        at++;
    return at;
}

#endif
