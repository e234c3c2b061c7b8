// From values to slices: the only way by which configuration reaches a compartment.
#pragma once

#include "config/slices.h"
#include "config/values.h"

namespace sternpost::config {

/// One slice for each compartment that has one.
struct Slices {
  MasterSlice master;
  SmtpdSlice smtpd;
  SpoolSlice spool;
  QmgrSlice qmgr;
  RouterSlice router;
  UsersSlice users;
  VirtualSlice virtual_mailbox;
  SmtpSlice smtp;
  BounceSlice bounce;
  LogSlice log;
  AdminSlice admin;
  DnsSlice dns;
};

Slices make_slices(const Values& values);

}  // namespace sternpost::config
