// The heart's memory out of the file. Throws; runs inside Guard.
#pragma once

#include <string>

#include "server/core/mutation.h"
#include "server/storage/connection.h"
#include "server/storage/packed.h"

namespace vlm::storage {

// Packs finished trials that are not packed yet.
core::Snapshot LoadSnapshot(Connection& c, ParamKinds& kinds);
// The same with all trials unpacked; changes nothing.
core::Snapshot LoadWholeSnapshot(Connection& c);

// Into out->studies what `where` lets through (SQL over studies s; empty: all). Ids must be new to
// `out`.
void LoadStudies(Connection& c, core::Snapshot* out, const std::string& where);
// Into out->trials, by id: those in `ids` (SQL list). A trial that another program has damaged is
// left out.
void LoadTrials(Connection& c, core::Snapshot* out, const std::string& ids);

}  // namespace vlm::storage
