// The coefficients are those of FreeBSD's msun/src/s_erf.c, whose notice follows:
//
//   Copyright (C) 1993 by Sun Microsystems, Inc. All rights reserved.
//   Developed at SunPro, a Sun Microsystems, Inc. business.
//   Permission to use, copy, modify, and distribute this software is freely granted, provided that
//   this notice is preserved.
#include "server/search/erf.h"

#include <cmath>
#include <cstddef>

namespace vlm::search {
namespace {

constexpr double kErfOfOne = 8.45062911510467529297e-01;  // As a float, as the source has it.
constexpr double kTiny = 1.28379167095512586316e-01;
constexpr double kP[] = {1.28379167095512558561e-01, -3.25042107247001499370e-01,
                         -2.84817495755985104766e-02, -5.77027029648944159157e-03,
                         -2.37630166566501626084e-05};
constexpr double kQ[] = {1,
                         3.97917223959155352819e-01,
                         6.50222499887672944485e-02,
                         5.08130628187576562776e-03,
                         1.32494738004321644526e-04,
                         -3.96022827877536812320e-06};
constexpr double kPa[] = {-2.36211856075265944077e-03, 4.14856118683748331666e-01,
                          -3.72207876035701323847e-01, 3.18346619901161753674e-01,
                          -1.10894694282396677476e-01, 3.54783043256182359371e-02,
                          -2.16637559486879084300e-03};
constexpr double kQa[] = {1,
                          1.06420880400844228286e-01,
                          5.40397917702171048937e-01,
                          7.18286544141962662868e-02,
                          1.26171219808761642112e-01,
                          1.36370839120290507362e-02,
                          1.19844998467991074170e-02};
constexpr double kRa[] = {-9.86494403484714822705e-03, -6.93858572707181764372e-01,
                          -1.05586262253232909814e01,  -6.23753324503260060396e01,
                          -1.62396669462573470355e02,  -1.84605092906711035994e02,
                          -8.12874355063065934246e01,  -9.81432934416914548592e00};
constexpr double kSa[] = {1,
                          1.96512716674392571292e01,
                          1.37657754143519042600e02,
                          4.34565877475229228821e02,
                          6.45387271733267880336e02,
                          4.29008140027567833386e02,
                          1.08635005541779435134e02,
                          6.57024977031928170135e00,
                          -6.04244152148580987438e-02};
constexpr double kRb[] = {-9.86494292470009928597e-03, -7.99283237680523006574e-01,
                          -1.77579549177547519889e01,  -1.60636384855821916062e02,
                          -6.37566443368389627722e02,  -1.02509513161107724954e03,
                          -4.83519191608651397019e02};
constexpr double kSb[] = {1,
                          3.03380607434824582924e01,
                          3.25792512996573918826e02,
                          1.53672958608443695994e03,
                          3.19985821950859553908e03,
                          2.55305040643316442583e03,
                          4.74528541206955367215e02,
                          -2.24409524465858183362e01};

template <size_t N>
double Horner(const double (&c)[N], double x) {
  double sum = c[N - 1];
  for (size_t i = N - 1; i-- > 0;) sum = c[i] + sum * x;
  return sum;
}

double RightHalf(double x) {
  if (x >= 6) return 1;
  if (x < 0x1p-28) return (1 + kTiny) * x;
  const double z = x * x;
  if (x < 0.84375) return x * (1 + Horner(kP, z) / Horner(kQ, z));
  if (x < 1.25) return kErfOfOne + Horner(kPa, x - 1) / Horner(kQa, x - 1);
  const double s = 1 / z;
  const double ratio =
      x < 1 / 0.35 ? Horner(kRa, s) / Horner(kSa, s) : Horner(kRb, s) / Horner(kSb, s);
  return 1 - std::exp(-z - 0.5625 + ratio) / x;
}

}  // namespace

double PolynomialErf(double x) {
  if (std::isnan(x)) return x;
  if (x == 0) return 0;
  return x > 0 ? RightHalf(x) : -RightHalf(-x);
}

}  // namespace vlm::search
