// The events that libunbound gets, used as it uses them.
#include "service/dns/event_base.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <functional>
#include <vector>

#include "base/unique_fd.h"

namespace sternpost::dns {
namespace {

class EventBaseTest : public testing::Test {
 protected:
  EventBaseTest() {
    int ends[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), 0);
    ours_.reset(ends[0]);
    theirs_.reset(ends[1]);
  }

  ub_event* make(int fd, short bits) {
    auto* base = base_.get();
    return base->vmt->new_event(base, fd, bits, &EventBaseTest::on_event, this);
  }
  static void on_event(int, short bits, void* self) {
    auto& test = *static_cast<EventBaseTest*>(self);
    test.seen_.push_back(bits);
    if (test.then_) test.then_();
  }
  void write() { EXPECT_EQ(::write(theirs_.get(), "x", 1), 1); }
  void read() {
    char byte = 0;
    EXPECT_EQ(::read(ours_.get(), &byte, 1), 1);
  }
  /// Everything that is due now.
  void poll() {
    loop_.restart();
    loop_.poll();
  }
  static timeval milliseconds(int count) { return {.tv_sec = 0, .tv_usec = count * 1'000}; }

  boost::asio::io_context loop_;
  EventBase base_{loop_};
  UniqueFd ours_, theirs_;
  std::vector<short> seen_;
  std::function<void()> then_;
};

TEST_F(EventBaseTest, FiresOnceUnlessItPersists) {
  auto* event = make(ours_.get(), UB_EV_READ);
  event->vmt->add(event, nullptr);
  poll();
  EXPECT_TRUE(seen_.empty());
  write();
  write();
  poll();
  read();
  poll();
  EXPECT_EQ(seen_, std::vector<short>{UB_EV_READ});
  event->vmt->add(event, nullptr);
  poll();
  EXPECT_EQ(seen_.size(), 2U);
  event->vmt->free(event);
}

TEST_F(EventBaseTest, APersistentOneFiresUntilItIsRemoved) {
  auto* event = make(ours_.get(), UB_EV_READ | UB_EV_PERSIST);
  event->vmt->add(event, nullptr);
  then_ = [&] { read(); };
  for (int i = 0; i < 3; ++i) {
    write();
    poll();
  }
  EXPECT_EQ(seen_.size(), 3U);
  event->vmt->del(event);
  write();
  poll();
  EXPECT_EQ(seen_.size(), 3U);
  event->vmt->free(event);
}

TEST_F(EventBaseTest, MayBeFreedWithinItsCallback) {
  auto* event = make(ours_.get(), UB_EV_READ | UB_EV_PERSIST);
  const auto timeout = milliseconds(1);
  event->vmt->add(event, const_cast<timeval*>(&timeout));
  then_ = [&] { event->vmt->free(event); };
  write();
  poll();
  ::usleep(3'000);
  poll();
  EXPECT_EQ(seen_.size(), 1U);
}

TEST_F(EventBaseTest, LeavesItsDescriptorOpenAndForgetsItAtOnce) {
  auto* event = make(ours_.get(), UB_EV_READ);
  event->vmt->add(event, nullptr);
  event->vmt->del(event);
  EXPECT_GE(::fcntl(ours_.get(), F_GETFD), 0);
  // The number is reused, as libunbound does with sockets.
  const int number = ours_.get();
  int ends[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), 0);
  ASSERT_EQ(::dup3(ends[0], number, O_CLOEXEC), number);
  ::close(ends[0]);
  theirs_.reset(ends[1]);
  event->vmt->set_fd(event, number);
  event->vmt->add(event, nullptr);
  write();
  poll();
  EXPECT_EQ(seen_, std::vector<short>{UB_EV_READ});
  event->vmt->free(event);
  EXPECT_GE(::fcntl(number, F_GETFD), 0);
}

TEST_F(EventBaseTest, BitsAreAddedAndTakenAway) {
  auto* event = make(ours_.get(), UB_EV_READ);
  event->vmt->add_bits(event, UB_EV_WRITE);
  event->vmt->add(event, nullptr);
  poll();
  EXPECT_EQ(seen_, std::vector<short>{UB_EV_WRITE});
  event->vmt->del_bits(event, UB_EV_WRITE);
  event->vmt->add(event, nullptr);
  poll();
  EXPECT_EQ(seen_.size(), 1U);
  event->vmt->free(event);
}

TEST_F(EventBaseTest, ATimeoutEndsTheWait) {
  auto* event = make(ours_.get(), UB_EV_READ);
  auto timeout = milliseconds(5);
  event->vmt->add(event, &timeout);
  loop_.run();
  EXPECT_EQ(seen_, std::vector<short>{UB_EV_TIMEOUT});
  write();
  poll();
  EXPECT_EQ(seen_.size(), 1U);
  event->vmt->free(event);
}

TEST_F(EventBaseTest, APersistentTimeoutBeginsAnewWithWhatComes) {
  auto* event = make(ours_.get(), UB_EV_READ | UB_EV_PERSIST);
  auto timeout = milliseconds(200);
  then_ = [&] {
    if (seen_.back() == UB_EV_TIMEOUT) event->vmt->del(event);
    if (seen_.back() == UB_EV_READ) read();
  };
  event->vmt->add(event, &timeout);
  const auto begin = std::chrono::steady_clock::now();
  loop_.run_for(std::chrono::milliseconds(100));
  write();
  loop_.restart();
  loop_.run();
  EXPECT_EQ(seen_, (std::vector<short>{UB_EV_READ, UB_EV_TIMEOUT}));
  EXPECT_GE(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(300));
  event->vmt->free(event);
}

TEST_F(EventBaseTest, ATimerIsSetAnewAndStopped) {
  auto* event = make(-1, UB_EV_TIMEOUT);
  auto late = milliseconds(60'000), soon = milliseconds(1);
  event->vmt->add_timer(event, base_.get(), &EventBaseTest::on_event, this, &late);
  event->vmt->add_timer(event, base_.get(), &EventBaseTest::on_event, this, &soon);
  loop_.run();
  EXPECT_EQ(seen_, std::vector<short>{UB_EV_TIMEOUT});
  event->vmt->add_timer(event, base_.get(), &EventBaseTest::on_event, this, &soon);
  event->vmt->del_timer(event);
  loop_.restart();
  loop_.run();
  EXPECT_EQ(seen_.size(), 1U);
  event->vmt->free(event);
}

}  // namespace
}  // namespace sternpost::dns
