// What other programs write into Optuna's tables. Triggers on those tables note the studies and
// trials that are written in vlm_changes; our own connection has triggers switched off. So what has
// changed is known exactly, however large the file is, and while we are not running too.
// All functions throw; callers run inside Guard.
#pragma once

#include "server/core/mutation.h"
#include "server/storage/connection.h"
#include "server/storage/packed.h"

namespace vlm::storage {

// Makes vlm_changes and the triggers where they are missing (an upgrade of Optuna's schema drops
// triggers).
void MakeChangeTriggers(Connection& c);
// Our own writes through this connection are not noted.
void SwitchTriggersOff(Connection& c);
// A number that is another one after a commit of another connection.
int64_t DataVersion(Connection& c);
// The noted rows as they are now; then nothing is noted any more. Inside a transaction.
core::ForeignRows TakeForeignRows(Connection& c, ParamKinds& kinds);
// Drops rows of our tables whose study or trial another program has removed, perhaps giving its id
// to a new one. Inside a transaction, before changes are forgotten.
void DropOrphans(Connection& c);
// Drops the packed forms of trials that another program has changed. Likewise.
void DropStaleRows(Connection& c);
void ForgetChanges(Connection& c);

}  // namespace vlm::storage
