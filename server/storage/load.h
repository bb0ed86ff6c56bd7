// The heart's memory out of the file. Throws; runs inside Guard.
#pragma once

#include <string>

#include "server/core/mutation.h"
#include "server/storage/connection.h"

namespace vlm::storage {

core::Snapshot LoadSnapshot(Connection& c);

// Into out->studies what `where` lets through (SQL over studies s; empty: all). Ids must be new to
// `out`.
void LoadStudies(Connection& c, core::Snapshot* out, const std::string& where);
// Into out->trials, by id: those in `ids` (SQL list; empty: all). Of a trial that another program
// has damaged nothing is loaded when `ids` are given; loading all of the file throws.
void LoadTrials(Connection& c, core::Snapshot* out, const std::string& ids);

}  // namespace vlm::storage
