// The error function as Optuna evaluates it on arrays of 2000 and more elements
// (optuna/samplers/_tpe/_erf.py): it differs from the C library's in the last bit. Pure.
#pragma once

namespace vlm::search {

double PolynomialErf(double x);

}  // namespace vlm::search
