/* JSON Lines that all look like the first one: what stands between the values is compared, the values are read.
 *
 * Only what has one meaning beyond doubt is recognised: numbers that one multiplication or division of two exact
 * doubles rounds correctly, ASCII texts without escapes, literals. Every other line is left to the library.
 */
#include <float.h>

#include "lines.h"

_Static_assert(FLT_EVAL_METHOD == 0, "a product must be rounded once, to a double");

enum kind { SKIP, NUMBER, TEXT, END };

/* What stands before a value, and where the value goes; the last one has no value. Eight bytes a field. */
struct member {
    const uint8_t *literal;
    uint64_t literal_bytes;
    uint64_t word, mask; /* the literal's first eight bytes, and which of them there are */
    uint64_t kind;
    double *numbers;    /* [rows] of NUMBER */
    uint32_t *starts;   /* [rows] of TEXT: where it stands in the block */
    uint32_t *stops;    /* [rows] of TEXT */
    uint8_t *present;   /* [rows] of NUMBER and TEXT: 0 for null */
};
_Static_assert(sizeof(struct member) == 72, "the caller lays them out");

#define MOST_EXACT_POWER 22
static const double POWERS[MOST_EXACT_POWER + 1] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                                    1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                                    1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
#define MOST_EXACT_INTEGER (UINT64_C(1) << 53)
#define MOST_DIGITS 19 /* as many fit into 64 bits, whatever they are */

static const uint8_t *digits(const uint8_t *at, const uint8_t *end, uint64_t *value)
{
    for (; at < end && is_digit(*at); at++)
        *value = *value * 10 + (uint64_t)(*at - '0');
    return at;
}

/* The exponent behind an ``e``, of four digits at most; NULL where there is none. */
static const uint8_t *exponent(const uint8_t *at, const uint8_t *end, int64_t *power)
{
    bool negative = is_at(at, end, '-');
    at += negative || is_at(at, end, '+');
    uint64_t value = 0;
    const uint8_t *stop = digits(at, end, &value);
    if (stop == at || stop - at > 4)
        return NULL;
    *power += negative ? -(int64_t)value : (int64_t)value;
    return stop;
}

/* A JSON number as the double nearest to it (W. D. Clinger, How to read floating point numbers accurately, 1990); NULL
 * for one that this fast path cannot round, for the integer ``-0``, which the library takes for 0, and for what is no
 * number. */
static const uint8_t *number(const uint8_t *at, const uint8_t *end, double *value)
{
    bool negative = is_at(at, end, '-');
    at += negative;
    uint64_t significand = 0;
    const uint8_t *point = digits(at, end, &significand);
    int64_t count = point - at, power = 0;
    if (count == 0 || (*at == '0' && count > 1))
        return NULL;
    at = point;
    if (is_at(at, end, '.')) {
        at = digits(point + 1, end, &significand);
        power = -(at - point - 1);
        if (power == 0)
            return NULL;
    }
    count -= power;
    if (is_at(at, end, 'e') || is_at(at, end, 'E'))
        at = exponent(at + 1, end, &power);
    if (!at || count > MOST_DIGITS || significand > MOST_EXACT_INTEGER || (negative && !significand && at == point))
        return NULL;
    if (power < -MOST_EXACT_POWER || power > MOST_EXACT_POWER)
        return NULL;
    double exact = (double)significand;
    exact = power < 0 ? exact / POWERS[-power] : exact * POWERS[power];
    *value = negative ? -exact : exact;
    return at;
}

static const uint8_t *literal(const uint8_t *at, const uint8_t *end, const uint8_t *wanted, uint64_t bytes)
{
    return left(at, end) >= bytes && !memcmp(at, wanted, bytes) ? at + bytes : NULL;
}

static const uint8_t *before_value(const uint8_t *at, const uint8_t *end, const struct member *member)
{
    if (member->literal_bytes > 8 || left(at, end) < 8)
        return literal(at, end, member->literal, member->literal_bytes);
    return (eight_bytes(at) ^ member->word) & member->mask ? NULL : at + member->literal_bytes;
}

/* A text without its quotes; ``at`` is behind the first one. */
static const uint8_t *text(const uint8_t *data, const uint8_t *at, const uint8_t *end, const struct member *member,
                           uint64_t row)
{
    const uint8_t *stop = plain_until(at, end, '"');
    if (!is_at(stop, end, '"') || member->kind == NUMBER)
        return NULL;
    if (member->kind == TEXT) {
        member->starts[row] = (uint32_t)(at - data);
        member->stops[row] = (uint32_t)(stop - data);
        member->present[row] = 1;
    }
    return stop + 1;
}

static const uint8_t *null(const uint8_t *at, const uint8_t *end, const struct member *member, uint64_t row)
{
    if (member->kind != SKIP)
        member->present[row] = 0;
    return literal(at, end, (const uint8_t *)"null", 4);
}

static const uint8_t *value(const uint8_t *data, const uint8_t *at, const uint8_t *end, const struct member *member,
                            uint64_t row)
{
    double found;
    switch (at < end ? *at : 0) {
    case '"':
        return text(data, at + 1, end, member, row);
    case 'n':
        return null(at, end, member, row);
    case 't':
        return member->kind == SKIP ? literal(at, end, (const uint8_t *)"true", 4) : NULL;
    case 'f':
        return member->kind == SKIP ? literal(at, end, (const uint8_t *)"false", 5) : NULL;
    default:
        at = number(at, end, &found);
        if (!at || member->kind == TEXT)
            return NULL;
        if (member->kind == NUMBER) {
            member->numbers[row] = found;
            member->present[row] = 1;
        }
        return at;
    }
}

static bool line(const uint8_t *data, const uint8_t *at, const uint8_t *end, const struct member *members, uint64_t row)
{
    for (;; members++) {
        at = before_value(at, end, members);
        if (!at)
            return false;
        if (members->kind == END)
            return at == end;
        at = value(data, at, end, members, row);
        if (!at)
            return false;
    }
}

/* Which lines are recognised, [rows]; their values are where the members say, others have none. Returns how many. */
uint64_t json_lines_scan(const uint8_t *data, uint64_t size, const int64_t *starts, const int64_t *ends, uint64_t rows,
                         const struct member *members, uint8_t *recognised)
{
    uint64_t found = 0;
    for (uint64_t row = 0; row < rows; row++) {
        const uint8_t *at, *end;
        recognised[row] = line_of(data, size, starts[row], ends[row], &at, &end) && line(data, at, end, members, row);
        found += recognised[row];
        if (recognised[row])
            continue;
        for (const struct member *member = members; member->kind != END; member++)
            if (member->kind != SKIP)
                member->present[row] = 0;
    }
    return found;
}
