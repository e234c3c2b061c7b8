// Any bytes as the body of a segment for the scanner, and any bytes as the heads of records whose checksums
// are right.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "spool/replay.h"
#include "spool/scan.h"

using namespace sternpost;
using namespace sternpost::spool;

namespace {

const SegmentHeader kHeader{1, 2, 1U << 20U, SegmentRole::incoming, 3, 1, {}};

void scan_bytes(std::string_view input, EndKnowledge knowledge) {
  std::string segment(kBlock, '\0');
  segment += input;
  const auto scan = scan_segment(segment, kHeader, knowledge);
  if (scan.end > round_up_to_block(segment.size())) std::abort();
}

/// Records cut from the input: a byte for the type, one for the id, two for the length of the head.
void replay_records(std::string_view input) {
  Index index;
  IdSet committed(16);
  std::uint64_t offset = kBlock;
  while (input.size() >= 4) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(input[i]); };
    RecordView record;
    record.header.type = static_cast<RecordType>(byte(0) % 5U);
    record.header.id = {byte(1) % 4U};
    const auto length = std::min<std::size_t>(byte(2) + 256U * byte(3), input.size() - 4);
    record.head = input.substr(4, length);
    record.offset = offset;
    offset += record.bytes();
    input.remove_prefix(4 + length);
    (void)replay(record, static_cast<std::uint32_t>(offset % 3), index, committed);
    const auto message = index.find(record.header.id);
    if (message && (message->state.settled() ||
                    message->state.open() + message->state.owing() > message->state.recipients())) {
      std::abort();
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string input(data, data + size);
  scan_bytes(input, EndKnowledge::named);
  scan_bytes(input, EndKnowledge::newest);
  scan_bytes(input, EndKnowledge::sealed);
  replay_records(input);
  return 0;
}
