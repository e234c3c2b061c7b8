// Any bytes as one frame, or as a slice, for whoever receives it: the first byte of the input chooses the
// direction of a protocol, the second is the type of the frame, the rest its payload. What decodes is written
// and read again as the same value.
#include <array>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <tuple>
#include <utility>

#include "config/slices.h"
#include "runtime/agent/agent_protocol.h"
#include "runtime/channel/channel.h"
#include "runtime/control_protocol.h"
#include "runtime/log_protocol.h"
#include "service/admin/protocol.h"
#include "service/dns/protocol.h"
#include "service/qmgr/protocol.h"
#include "service/router/protocol.h"
#include "service/spool/admin_protocol.h"
#include "service/spool/intake_protocol.h"
#include "service/spool/notice_protocol.h"
#include "service/spool/qmgr_protocol.h"
#include "service/users/protocol.h"

using namespace sternpost;

namespace {

using Frames =
    std::tuple<spool_intake::ToSpool, spool_intake::FromSpool, spool_agent::ToAgent, spool_agent::FromAgent,
               spool_qmgr::ToSpool, spool_qmgr::FromSpool, spool_admin::ToSpool, spool_admin::FromSpool,
               spool_notice::ToBounce, spool_notice::FromBounce, router::FromIntake, router::ToIntake,
               router::FromQmgr, router::ToQmgr, users::ToUsers, users::FromUsers, dns::ToDns, dns::FromDns,
               qmgr::ToQmgr, qmgr::FromQmgr, admin::Request, admin::Reply, control::ToService,
               control::FromService, log_channel::ToLog, log_channel::FromLog>;

using Slices = std::tuple<config::MasterSlice, config::SmtpdSlice, config::SpoolSlice, config::QmgrSlice,
                          config::RouterSlice, config::UsersSlice, config::VirtualSlice, config::LogSlice,
                          config::AdminSlice, config::SmtpSlice, config::BounceSlice, config::DnsSlice>;

template <class T>
void write_and_read_again(const T& value) {
  const auto bytes = encode(value);
  const auto again = decode<T>(bytes);
  if (!again || encode(*again) != bytes) std::abort();
}

template <class Frame>
void read_frame(std::string_view input) {
  if (input.empty()) return;
  const auto frame = decode_frame<Frame>(static_cast<std::uint8_t>(input[0]), input.substr(1));
  if (frame) write_and_read_again(*frame);
}

template <class Slice>
void read_slice(std::string_view input) {
  if (const auto slice = decode<Slice>(input)) write_and_read_again(*slice);
}

using Reader = void (*)(std::string_view);

constexpr auto kReaders = [] {
  constexpr auto frames = std::tuple_size_v<Frames>;
  std::array<Reader, frames + std::tuple_size_v<Slices>> readers{};
  [&]<std::size_t... I>(std::index_sequence<I...>) {
    ((readers[I] = read_frame<std::tuple_element_t<I, Frames>>), ...);
  }(std::make_index_sequence<frames>());
  [&]<std::size_t... I>(std::index_sequence<I...>) {
    ((readers[frames + I] = read_slice<std::tuple_element_t<I, Slices>>), ...);
  }(std::make_index_sequence<std::tuple_size_v<Slices>>());
  return readers;
}();

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  kReaders[data[0] % kReaders.size()]({reinterpret_cast<const char*>(data) + 1, size - 1});
  return 0;
}
