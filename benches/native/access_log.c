/* Access log lines as nginx and Apache write them: where each part stands.
 *
 * Only ASCII lines without escapes, with a request of three parts and with the whole combined tail or none are
 * recognised; every other line is left to the library.
 */
#include "lines.h"

/* The caller's order of names. */
enum part {
    REMOTE_ADDR, IDENT, USER, TIME, REQUEST, STATUS, BYTES, METHOD, PATH, QUERY, PROTOCOL, REFERER, AGENT, PARTS
};

struct piece {
    const uint8_t *start, *stop;
};

/* A word and the blank behind it; NULL where it is empty or not plain. */
static const uint8_t *word(const uint8_t *at, const uint8_t *end, struct piece *piece)
{
    *piece = (struct piece){at, plain_until(at, end, ' ')};
    return piece->stop > at && is_at(piece->stop, end, ' ') ? piece->stop + 1 : NULL;
}

/* A text between quotes; NULL where there is none. */
static const uint8_t *quoted(const uint8_t *at, const uint8_t *end, struct piece *piece)
{
    if (!is_at(at, end, '"'))
        return NULL;
    *piece = (struct piece){at + 1, plain_until(at + 1, end, '"')};
    return is_at(piece->stop, end, '"') ? piece->stop + 1 : NULL;
}

/* ``[time] `` before the request. */
static const uint8_t *bracketed(const uint8_t *at, const uint8_t *end, struct piece *piece)
{
    if (!is_at(at, end, '['))
        return NULL;
    const uint8_t *quote = plain_until(at + 1, end, '"');
    if (!is_at(quote, end, '"') || quote - at < 3 || quote[-1] != ' ' || quote[-2] != ']')
        return NULL;
    *piece = (struct piece){at + 1, quote - 2};
    return quote;
}

/* `` 200 `` behind the request. */
static const uint8_t *status(const uint8_t *at, const uint8_t *end, struct piece *piece)
{
    if (left(at, end) < 5 || at[0] != ' ' || !is_digit(at[1]) || !is_digit(at[2]) || !is_digit(at[3]) || at[4] != ' ')
        return NULL;
    *piece = (struct piece){at + 1, at + 4};
    return at + 5;
}

/* Method, path, query and protocol; false where not all but the query are there. */
static bool request(struct piece whole, struct piece *parts)
{
    const uint8_t *at = whole.start, *last = whole.stop;
    while (at < whole.stop && (uint8_t)(*at - 'A') < 26)
        at++;
    if (at - whole.start < 3 || at - whole.start > 20 || !is_at(at, whole.stop, ' '))
        return false;
    while (last > at + 1 && last[-1] != ' ')
        last--;
    if (last == at + 1 || left(last, whole.stop) < 5 || memcmp(last, "HTTP/", 5))
        return false;
    const uint8_t *question = memchr(at + 1, '?', left(at + 1, last - 1));
    parts[METHOD] = (struct piece){whole.start, at};
    parts[PATH] = (struct piece){at + 1, question ? question : last - 1};
    parts[QUERY] = question ? (struct piece){question + 1, last - 1} : (struct piece){last, last};
    parts[PROTOCOL] = (struct piece){last, whole.stop};
    return true;
}

/* `` "referer" "agent"`` behind the size; further columns may follow. */
static bool combined(const uint8_t *at, const uint8_t *end, struct piece *parts)
{
    if (!is_at(at, end, ' ') || !(at = quoted(at + 1, end, &parts[REFERER])))
        return false;
    if (!is_at(at, end, ' ') || !(at = quoted(at + 1, end, &parts[AGENT])))
        return false;
    return at == end || *at == ' ';
}

static bool line(const uint8_t *at, const uint8_t *end, struct piece *parts)
{
    if (!(at = word(at, end, &parts[REMOTE_ADDR])) || at[-2] == ',')
        return false;
    if (!(at = word(at, end, &parts[IDENT])) || !(at = word(at, end, &parts[USER])))
        return false;
    if (!(at = bracketed(at, end, &parts[TIME])) || !(at = quoted(at, end, &parts[REQUEST])))
        return false;
    if (!request(parts[REQUEST], parts) || !(at = status(at, end, &parts[STATUS])))
        return false;
    parts[BYTES] = (struct piece){at, plain_until(at, end, ' ')};
    if (parts[BYTES].stop == at)
        return false;
    at = parts[BYTES].stop;
    parts[REFERER] = parts[AGENT] = (struct piece){at, at};
    return at == end || combined(at, end, parts);
}

/* A column that is empty or a lonely ``-`` is missing; parts of a request are missing only where they are empty. */
static bool is_there(struct piece piece, uint64_t part)
{
    bool dash = piece.stop - piece.start == 1 && *piece.start == '-' && (part < METHOD || part > PROTOCOL);
    return piece.start < piece.stop && !dash;
}

/* Which lines are recognised, [rows]; starts, stops, present: [wanted, rows] of the wanted parts. Returns how many. */
uint64_t access_log_scan(const uint8_t *data, uint64_t size, const int64_t *starts, const int64_t *ends, uint64_t rows,
                         const uint64_t *wanted, uint64_t count, uint32_t *piece_starts, uint32_t *piece_stops,
                         uint8_t *present, uint8_t *recognised)
{
    uint64_t found = 0;
    struct piece parts[PARTS];
    for (uint64_t row = 0; row < rows; row++) {
        const uint8_t *at, *end;
        recognised[row] = line_of(data, size, starts[row], ends[row], &at, &end) && line(at, end, parts);
        found += recognised[row];
        for (uint64_t i = 0; i < count; i++) {
            uint64_t place = i * rows + row;
            present[place] = recognised[row] && wanted[i] < PARTS && is_there(parts[wanted[i]], wanted[i]);
            if (!present[place])
                continue;
            piece_starts[place] = (uint32_t)(parts[wanted[i]].start - data);
            piece_stops[place] = (uint32_t)(parts[wanted[i]].stop - data);
        }
    }
    return found;
}
