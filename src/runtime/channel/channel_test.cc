#include "runtime/channel/channel.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <malloc.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <memory>

#if __has_feature(address_sanitizer)
#include <sanitizer/allocator_interface.h>
#endif

namespace sternpost {
namespace {

struct Ping {
  std::uint32_t number = 0;
  std::string text;
  static constexpr auto fields() { return std::tuple(&Ping::number, &Ping::text); }
};
struct Pong {
  std::uint32_t number = 0;
  static constexpr auto fields() { return std::tuple(&Pong::number); }
};
using Questions = std::variant<Ping, Pong>;
using Answers = std::variant<Pong>;
using Asker = Channel<Answers, Questions>;
using Answerer = Channel<Questions, Answers>;

struct Parcel {
  std::string text;
  SharedFd descriptor = nullptr;
  static constexpr auto fields() { return std::tuple(&Parcel::text); }
};
using Parcels = std::variant<Pong, Parcel>;
using Sender = Channel<Answers, Parcels>;
using Receiver = Channel<Parcels, Answers>;

constexpr FrameLimits kLimits{.max_frame = 4096, .max_unsent = 1U << 20U};

class ChannelTest : public testing::Test {
 protected:
  ChannelTest() {
    int ends[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    a_.reset(ends[0]);
    b_.reset(ends[1]);
  }

  /// Runs what is ready. A loop that once ran out of work must be told to go on.
  void turn() {
    loop_.restart();
    loop_.poll();
  }

  void wait_while(const std::function<bool()>& condition) {
    for (int i = 0; condition() && i < 1000; ++i) {
      loop_.restart();
      loop_.run_one_for(std::chrono::milliseconds(10));
    }
    EXPECT_FALSE(condition());
  }

  void make_answerer() {
    answerer_ = std::make_unique<Answerer>(loop_, std::move(b_), kLimits, counters_,
                                           Answerer::Handlers{[this](Questions&& frame) -> Result<void> {
                                                                if (refuse_)
                                                                  return fail(ErrorClass::peer, "refused");
                                                                questions_.push_back(std::move(frame));
                                                                return {};
                                                              },
                                                              [this](const Error& why) {
                                                                closed_.push_back(why);
                                                                answerer_.reset();
                                                              }});
  }

  void write_raw(std::string_view bytes) {
    ASSERT_EQ(::write(a_.get(), bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  }

  static std::string greeting() {
    const auto value = fingerprint<Questions>() ^ fingerprint<Answers>();
    return {reinterpret_cast<const char*>(&value), sizeof(value)};
  }

  static std::string frame(std::uint8_t type, const std::string& payload) {
    const auto length = static_cast<std::uint32_t>(payload.size() + 1);
    return std::string(reinterpret_cast<const char*>(&length), sizeof(length)) + static_cast<char>(type) +
           payload;
  }

  boost::asio::io_context loop_;
  TrafficCounters counters_;
  UniqueFd a_, b_;
  std::unique_ptr<Answerer> answerer_;
  std::vector<Questions> questions_;
  std::vector<Error> closed_;
  bool refuse_ = false;
};

#if __has_feature(address_sanitizer)
std::size_t bytes_in_use() {
  return __sanitizer_get_current_allocated_bytes();
}
#else
std::size_t bytes_in_use() {
  const auto info = ::mallinfo2();
  return info.uordblks + info.hblkhd;
}
#endif

TEST_F(ChannelTest, keeps_nothing_of_what_is_written_although_the_peer_is_always_behind) {
  Asker asker(loop_, std::move(a_), {.max_frame = 65536, .max_unsent = 4U << 20U}, counters_,
              {[](Answers&&) -> Result<void> { return {}; }, [](const Error&) {}});
  std::string heard(1U << 20U, '\0');
  const auto before = bytes_in_use();
  for (int round = 0; round < 200; ++round) {
    while (asker.unsent() < (1U << 20U)) asker.send(Ping{1, std::string(60000, 'x')});
    turn();
    ASSERT_GT(::recv(b_.get(), heard.data(), heard.size(), MSG_DONTWAIT), 0);
  }
  EXPECT_LT(bytes_in_use() - before, 4U << 20U) << "of some 20 MiB that were sent";
}

TEST_F(ChannelTest, carries_frames_both_ways_in_order) {
  std::vector<std::uint32_t> answers;
  make_answerer();
  Asker asker(loop_, std::move(a_), kLimits, counters_,
              {[&](Answers&& frame) -> Result<void> {
                 answers.push_back(std::get<Pong>(frame).number);
                 return {};
               },
               [](const Error&) {}});
  for (std::uint32_t i = 0; i < 100; ++i) asker.send(Ping{i, std::string(i, 'x')});
  wait_while([&] { return questions_.size() < 100; });
  for (std::uint32_t i = 0; i < 100; ++i) EXPECT_EQ(std::get<Ping>(questions_[i]).text.size(), i);
  answerer_->send(Pong{7});
  wait_while([&] { return answers.empty(); });
  EXPECT_EQ(answers, std::vector<std::uint32_t>{7});
  EXPECT_EQ(counters_.frames_in, 101U);
}

TEST_F(ChannelTest, writes_once_for_all_frames_of_a_turn) {
  make_answerer();
  Asker asker(loop_, std::move(a_), kLimits, counters_,
              {[](Answers&&) -> Result<void> { return {}; }, [](const Error&) {}});
  turn();
  const auto before = counters_.writes;
  for (std::uint32_t i = 0; i < 50; ++i) asker.send(Ping{i, "text"});
  turn();
  EXPECT_EQ(counters_.writes, before + 1);
  EXPECT_EQ(questions_.size(), 50U);
}

TEST_F(ChannelTest, serves_long_and_short_bursts_in_turns) {
  make_answerer();
  Asker asker(loop_, std::move(a_), kLimits, counters_, {});
  std::uint32_t sent = 0;
  for (const std::uint32_t frames :
       {1U, 100U, 2U, 100U, 1U}) {  // 100 frames are more than the first read takes
    for (std::uint32_t i = 0; i < frames; ++i) asker.send(Ping{sent++, std::string(3000, 'p')});
    wait_while([&] { return questions_.size() < sent; });
  }
  for (std::uint32_t i = 0; i < sent; ++i) {
    EXPECT_EQ(std::get<Ping>(questions_.at(i)).number, i);
    EXPECT_EQ(std::get<Ping>(questions_.at(i)).text, std::string(3000, 'p'));
  }
}

TEST_F(ChannelTest, reads_frames_that_arrive_byte_by_byte) {
  make_answerer();
  for (const char byte : greeting() + frame(0, encode(Ping{3, "slow"}))) {
    write_raw({&byte, 1});
    turn();
  }
  ASSERT_EQ(questions_.size(), 1U);
  EXPECT_EQ(std::get<Ping>(questions_[0]).text, "slow");
}

TEST_F(ChannelTest, closes_on_another_protocol) {
  make_answerer();
  write_raw("notours!");
  wait_while([&] { return closed_.empty(); });
  EXPECT_EQ(closed_[0].what_to_do, ErrorClass::peer);
}

TEST_F(ChannelTest, closes_on_every_malformed_frame) {
  const std::string whole = encode(Ping{1, "abc"});
  const std::vector<std::string> bad = {
      frame(9, whole),                     // no such type
      frame(0, whole + "x"),               // trailing bytes
      frame(0, whole.substr(0, 5)),        // cut short
      std::string("\0\0\0\0", 4),          // no room for a type
      std::string("\xff\xff\xff\x7f", 4),  // beyond the bound
  };
  for (const auto& bytes : bad) {
    int ends[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    a_.reset(ends[0]);
    b_.reset(ends[1]);
    closed_.clear();
    make_answerer();
    write_raw(greeting() + bytes);
    wait_while([&] { return closed_.empty(); });
    EXPECT_EQ(closed_[0].what_to_do, ErrorClass::peer);
    EXPECT_TRUE(questions_.empty());
  }
}

TEST_F(ChannelTest, closes_when_the_handler_refuses_a_frame) {
  refuse_ = true;
  make_answerer();
  write_raw(greeting() + frame(1, encode(Pong{1})));
  wait_while([&] { return closed_.empty(); });
  EXPECT_EQ(closed_[0].text, "refused");
}

TEST_F(ChannelTest, tells_that_the_peer_went_away) {
  make_answerer();
  write_raw(greeting() + frame(1, encode(Pong{1})));
  a_.reset();
  wait_while([&] { return closed_.empty(); });
  EXPECT_EQ(closed_[0].what_to_do, ErrorClass::temporary);
  EXPECT_EQ(questions_.size(), 1U);  // what came before the end was delivered
}

TEST_F(ChannelTest, gives_up_on_a_peer_that_does_not_read) {
  make_answerer();
  for (int i = 0; i < 500'000 && closed_.empty(); ++i) {
    if (answerer_) answerer_->send(Pong{1});
    turn();
  }
  ASSERT_FALSE(closed_.empty());
  EXPECT_EQ(closed_[0].what_to_do, ErrorClass::temporary);
}

TEST_F(ChannelTest, is_silent_after_its_owner_closed_it) {
  make_answerer();
  a_.reset();
  answerer_.reset();
  turn();
  EXPECT_TRUE(closed_.empty());
}

TEST_F(ChannelTest, descriptors_travel_with_their_frame) {
  int pipe_ends[2];
  ASSERT_EQ(::pipe2(pipe_ends, O_CLOEXEC), 0);
  const auto reading = to_shared(UniqueFd(pipe_ends[0])), writing = to_shared(UniqueFd(pipe_ends[1]));
  const FrameLimits limits{.max_frame = 4096, .max_descriptors = 4};
  std::vector<std::pair<std::uint8_t, std::size_t>> got;
  FrameStream receiver(
      loop_, std::move(b_), 1, limits, counters_,
      {[&](std::uint8_t type, std::string_view, std::vector<UniqueFd>& descriptors) -> Result<void> {
         got.emplace_back(type, descriptors.size());
         return {};
       },
       [](const Error&) {}});
  FrameStream sender(loop_, std::move(a_), 1, limits, counters_,
                     {[](auto, auto, auto&) -> Result<void> { return {}; }, [](const Error&) {}});
  const auto nothing = [](std::string&) {};
  sender.send(1, nothing);
  sender.send(2, nothing, {reading, writing});
  sender.send(3, nothing);
  sender.send(4, nothing, {reading});
  wait_while([&] { return got.size() < 4; });
  EXPECT_EQ(got, (std::vector<std::pair<std::uint8_t, std::size_t>>{{1, 0}, {2, 2}, {3, 0}, {4, 1}}));
}

/// A descriptor that is told apart from others by what is written to it: its number.
SharedFd numbered(std::uint32_t number) {
  auto fd = std::make_shared<const UniqueFd>(::memfd_create("numbered", MFD_CLOEXEC));
  EXPECT_EQ(::pwrite(fd->get(), &number, sizeof(number), 0), static_cast<ssize_t>(sizeof(number)));
  return fd;
}

std::uint32_t number_of(const SharedFd& fd) {
  std::uint32_t number = 0;
  EXPECT_EQ(::pread(fd->get(), &number, sizeof(number), 0), static_cast<ssize_t>(sizeof(number)));
  return number;
}

TEST_F(ChannelTest, each_descriptor_arrives_with_its_frame_although_frames_are_split_and_gathered) {
  const FrameLimits limits{.max_frame = 512UL * 1024, .max_unsent = 64UL << 20U};
  std::vector<Parcel> parcels;
  std::size_t pongs = 0;
  Receiver receiver(loop_, std::move(b_), limits, counters_,
                    {[&](Parcels&& frame) -> Result<void> {
                       if (auto* parcel = std::get_if<Parcel>(&frame)) {
                         parcels.push_back(std::move(*parcel));
                       } else {
                         ++pongs;
                       }
                       return {};
                     },
                     [](const Error& why) { ADD_FAILURE() << why.text; }});
  Sender sender(loop_, std::move(a_), limits, counters_,
                {[](Answers&&) -> Result<void> { return {}; }, [](const Error&) {}});
  constexpr std::uint32_t kParcels = 60;
  for (std::uint32_t i = 0; i < kParcels; ++i) {
    sender.send(Parcel{std::string(i % 3 == 0 ? 300'000 : i, 'x'), i % 4 == 3 ? nullptr : numbered(i)});
    sender.send(Pong{i});
  }
  wait_while([&] { return pongs < kParcels; });
  ASSERT_EQ(parcels.size(), kParcels);
  for (std::uint32_t i = 0; i < kParcels; ++i) {
    ASSERT_EQ(parcels[i].descriptor != nullptr, i % 4 != 3) << i;
    if (parcels[i].descriptor) EXPECT_EQ(number_of(parcels[i].descriptor), i);
  }
}

/// Keeps what comes; the channel must not close.
Receiver::Handlers gather(std::vector<Parcel>& parcels) {
  return {[&parcels](Parcels&& frame) -> Result<void> {
            parcels.push_back(std::get<Parcel>(std::move(frame)));
            return {};
          },
          [](const Error& why) { ADD_FAILURE() << why.text; }};
}

/// While it lives, this process has no room for another descriptor.
class WithoutDescriptors {
 public:
  WithoutDescriptors() {
    EXPECT_EQ(::getrlimit(RLIMIT_NOFILE, &before_), 0);
    const rlimit none{1, before_.rlim_max};
    EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  }
  ~WithoutDescriptors() { EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &before_), 0); }
  WithoutDescriptors(const WithoutDescriptors&) = delete;
  WithoutDescriptors& operator=(const WithoutDescriptors&) = delete;

 private:
  rlimit before_{};
};

TEST_F(ChannelTest, goes_on_without_a_descriptor_that_there_is_no_room_for) {
  const FrameLimits limits{.max_frame = 4096};
  std::vector<Parcel> parcels;
  Receiver receiver(loop_, std::move(b_), limits, counters_, gather(parcels));
  Sender sender(loop_, std::move(a_), limits, counters_,
                {[](Answers&&) -> Result<void> { return {}; }, [](const Error&) {}});
  for (std::uint32_t i = 0; i < 4; ++i) sender.send(Parcel{"text", numbered(i)});
  {
    const WithoutDescriptors shortage;
    wait_while([&] { return parcels.size() < 4; });
  }
  for (const auto& parcel : parcels) {
    ASSERT_TRUE(parcel.descriptor);
    EXPECT_FALSE(*parcel.descriptor);
  }
  sender.send(Parcel{"text", numbered(4)});
  wait_while([&] { return parcels.size() < 5; });
  EXPECT_EQ(number_of(parcels[4].descriptor), 4U);
}

TEST_F(ChannelTest, needs_no_descriptor_to_send_one) {
  const FrameLimits limits{.max_frame = 4096};
  std::vector<Parcel> parcels;
  Receiver receiver(loop_, std::move(b_), limits, counters_, gather(parcels));
  Sender sender(
      loop_, std::move(a_), limits, counters_,
      {[](Answers&&) -> Result<void> { return {}; }, [](const Error& why) { ADD_FAILURE() << why.text; }});
  Parcel parcel{"text", numbered(7)};
  {
    const WithoutDescriptors shortage;
    sender.send(parcel);
  }
  parcel.descriptor.reset();
  wait_while([&] { return parcels.empty(); });
  ASSERT_EQ(parcels.size(), 1U);
  EXPECT_EQ(number_of(parcels[0].descriptor), 7U);
}

TEST_F(ChannelTest, refuses_a_descriptor_with_a_frame_that_carries_none) {
  const FrameLimits limits{.max_frame = 4096, .max_descriptors = 1};
  std::optional<Error> closed;
  std::size_t frames = 0;
  Receiver receiver(loop_, std::move(b_), limits, counters_,
                    {[&](Parcels&&) -> Result<void> {
                       ++frames;
                       return {};
                     },
                     [&](const Error& why) { closed = why; }});
  FrameStream sender(loop_, std::move(a_), fingerprint<Parcels>() ^ fingerprint<Answers>(), limits, counters_,
                     {[](auto, auto, auto&) -> Result<void> { return {}; }, [](const Error&) {}});
  const auto put = [](const auto& frame) { return [&](std::string& out) { out += encode(frame); }; };
  sender.send(1, put(Parcel{"text"}), {numbered(1)});
  sender.send(0, put(Pong{1}), {numbered(2)});
  wait_while([&] { return !closed; });
  EXPECT_EQ(closed->what_to_do, ErrorClass::peer);
  EXPECT_EQ(frames, 1U);
}

TEST_F(ChannelTest, refuses_descriptors_on_a_channel_that_carries_none) {
  make_answerer();
  const auto bytes = greeting();
  iovec vector{const_cast<char*>(bytes.data()), bytes.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &vector;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  auto* part = CMSG_FIRSTHDR(&message);
  part->cmsg_level = SOL_SOCKET;
  part->cmsg_type = SCM_RIGHTS;
  part->cmsg_len = CMSG_LEN(sizeof(int));
  const int fd = STDERR_FILENO;
  std::memcpy(CMSG_DATA(part), &fd, sizeof(fd));
  ASSERT_GT(::sendmsg(a_.get(), &message, 0), 0);
  wait_while([&] { return closed_.empty(); });
  EXPECT_EQ(closed_[0].what_to_do, ErrorClass::peer);
}

}  // namespace
}  // namespace sternpost
