#include "runtime/peer_watch.h"

#include <gtest/gtest.h>

#include <vector>

namespace sternpost {
namespace {

using Rows = std::vector<Compartment>;

class PeerWatchTest : public testing::Test {
 protected:
  PeerWatchTest() { watch_.set_grace(Milliseconds(20)); }

  boost::asio::io_context loop_;
  Rows lost_;
  PeerWatch watch_{loop_, [this](Compartment row) { lost_.push_back(row); }};
};

TEST_F(PeerWatchTest, says_once_that_no_new_channel_came) {
  watch_.gone(Compartment::spool);
  watch_.gone(Compartment::spool);
  loop_.run();
  EXPECT_EQ(lost_, Rows{Compartment::spool});
}

TEST_F(PeerWatchTest, is_silent_when_one_came) {
  watch_.gone(Compartment::spool);
  watch_.gone(Compartment::router);
  watch_.came(Compartment::spool);
  loop_.run();
  EXPECT_EQ(lost_, Rows{Compartment::router});
}

TEST_F(PeerWatchTest, watches_again_after_one_came) {
  watch_.gone(Compartment::spool);
  watch_.came(Compartment::spool);
  watch_.gone(Compartment::spool);
  loop_.run();
  EXPECT_EQ(lost_, Rows{Compartment::spool});
}

}  // namespace
}  // namespace sternpost
