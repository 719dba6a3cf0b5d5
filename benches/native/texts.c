/* Pieces of a block, copied: as the two buffers of an Arrow string column, or as lines one behind the other. */
#include "lines.h"

/* Where each text begins in the column, offsets[rows + 1]; returns its bytes, -1 where a piece is not in the block. */
int64_t texts_offsets(uint64_t size, const uint32_t *starts, const uint32_t *stops, const uint8_t *present,
                      uint64_t rows, int32_t *offsets)
{
    uint64_t bytes = 0;
    for (uint64_t row = 0; row < rows; row++) {
        offsets[row] = (int32_t)bytes;
        if (!present[row])
            continue;
        if (stops[row] < starts[row] || stops[row] > size)
            return -1;
        bytes += stops[row] - starts[row];
        if (bytes > INT32_MAX)
            return -1;
    }
    offsets[rows] = (int32_t)bytes;
    return (int64_t)bytes;
}

/* The texts themselves, column[bytes]; returns false where one would not fit. */
bool texts_copy(const uint8_t *data, uint64_t size, const uint32_t *starts, const int32_t *offsets, uint64_t rows,
                uint8_t *column, uint64_t bytes)
{
    for (uint64_t row = 0; row < rows; row++) {
        if (offsets[row] < 0 || offsets[row + 1] < offsets[row] || (uint64_t)offsets[row + 1] > bytes)
            return false;
        uint64_t to = (uint64_t)offsets[row], length = (uint64_t)offsets[row + 1] - to, from = starts[row];
        if (!length)
            continue;
        if (from > size || size - from < length)
            return false;
        /* A copy of fixed length is one instruction; what it writes too much belongs to the texts that follow. */
        if (length <= 16 && size - from >= 16 && bytes - to >= 16)
            memcpy(column + to, data + from, 16);
        else
            memcpy(column + to, data + from, length);
    }
    return true;
}

/* The lines in the given rows, each with a line feed behind it: their bytes, 0 where one is not in the block. Without
 * ``copy`` nothing is written; with it ``copy`` [bytes] is filled and says where each stands. */
uint64_t lines_copy(const uint8_t *data, uint64_t size, const int64_t *starts, const int64_t *ends, const int64_t *rows,
                    uint64_t count, uint8_t *copy, uint64_t bytes, int64_t *copy_starts, int64_t *copy_ends)
{
    uint64_t to = 0;
    for (uint64_t i = 0; i < count; i++) {
        const uint8_t *at, *end;
        if (!line_of(data, size, starts[rows[i]], ends[rows[i]], &at, &end))
            return 0;
        uint64_t length = left(at, end);
        if (copy) {
            if (bytes - to <= length)
                return 0;
            memcpy(copy + to, at, length);
            copy[to + length] = '\n';
            copy_starts[i] = (int64_t)to;
            copy_ends[i] = (int64_t)(to + length);
        }
        to += length + 1;
    }
    return to;
}
