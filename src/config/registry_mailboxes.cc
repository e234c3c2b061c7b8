// Parameters of the mailboxes: who has one and where it is.
#include "config/registry.h"

namespace sternpost::config {
namespace {

constexpr Parameter kParameters[] = {
    {.key = "mailboxes.source",
     .type = Type::choice,
     .initial = "system",
     .choices = "system list",
     .seen_by = "router virtual",
     .summary = "Who has a mailbox: the users of the system, or those in mailboxes.list.",
     .details =
         "With system every user whose uid is at least mailboxes.first_uid has the folder USER below "
         "mailboxes.directory, the same in each of the domains. Users are looked up in sources of "
         "nsswitch.conf that read files in /etc; where another source cannot be asked, clients get 451."},
    {.key = "mailboxes.directory",
     .type = Type::folder,
     .initial = "/var/mail/sternpost",
     .bounds = {1, 1'024},
     .reload = Reload::restart,
     .seen_by = "master",
     .summary = "The folder that holds all Maildirs.",
     .details = "A relative path is below the state directory. With the option --state the default is the "
                "folder mail "
                "below it, and an absolute path elsewhere is not used. Under systemd another folder than the "
                "default must be in the unit's ReadWritePaths."},
    {.key = "mailboxes.owner",
     .type = Type::account,
     .initial = "",
     .bounds = {0, 64},
     .reload = Reload::restart,
     .seen_by = "master",
     .summary =
         "The user, by name or uid, who owns the Maildirs; empty is a uid of its own (sandbox.uid_base).",
     .details = "Never root. Set it to the user as whom your IMAP server reads the Maildirs."},
    {.key = "mailboxes.extension_delimiter",
     .type = Type::delimiter,
     .initial = "+",
     .bounds = {0, 1},
     .seen_by = "router virtual",
     .summary = "The character that separates a user from an extension, as in user+lists@example.org; empty "
                "for none."},
    {.key = "mailboxes.first_uid",
     .type = Type::count,
     .initial = "1000",
     .bounds = {1, 2'147'483'647},
     .seen_by = "users",
     .summary = "Users of the system with a lower uid have no mailbox.",
     .details = "Neither has the uid 65534 (nobody), whatever this is."},
    {.key = "mailboxes.max_batch",
     .type = Type::count,
     .initial = "256",
     .bounds = {1, 4'096},
     .seen_by = "virtual",
     .summary = "The most messages that are written to Maildirs between two syncs.",
     .details =
         "A larger batch is faster and makes the first message in it wait longer. Of messages of more than "
         "64 KiB it holds at most 64 MiB, or one."},
    {.key = "mailboxes.list",
     .type = Type::mailboxes,
     .initial = "",
     .bounds = {0, 20'000},
     .seen_by = "router virtual",
     .summary =
         "The mailboxes of source \"list\": a table from address to the folder below mailboxes.directory.",
     .details =
         "\"@example.org\" takes every user of that domain who has no entry of their own. Addresses are "
         "compared without regard to case."},
};

}  // namespace

Topic mailbox_topic() {
  return {"Mailboxes", "Mail is delivered to Maildirs that one user owns.", kParameters};
}

}  // namespace sternpost::config
