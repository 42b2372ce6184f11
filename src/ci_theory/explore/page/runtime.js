// What translated theory calls: arrays, special functions and small linear algebra in float64.
// Arrays are flat Float64Array, last axis fastest; a truth value in an array is 0 or 1.
"use strict";

var runtime = (() => {
  // ---- numbers -------------------------------------------------------------------------------

  /** x^y as C and XLA have it: 1^y and (-1)^(+-infinity) are 1, where JavaScript says NaN. */
  function pow(x, y) {
    if (x === 1 || (x === -1 && Math.abs(y) === Infinity)) return 1;
    return Math.pow(x, y);
  }

  /** x^n for a whole n, by squaring. */
  function integerPow(x, n) {
    let result = 1;
    for (let k = Math.abs(n), square = x; k > 0; k = Math.floor(k / 2), square *= square) {
      if (k % 2 === 1) result *= square;
    }
    return n < 0 ? 1 / result : result;
  }

  /** The bits of a number as a signed whole number, to 53 bits: its sign is exact. */
  function bits(x) {
    const view = new DataView(new ArrayBuffer(8));
    view.setFloat64(0, x);
    return Number(view.getBigInt64(0));
  }

  /** The next number after x towards y. */
  function nextafter(x, y) {
    if (Number.isNaN(x) || Number.isNaN(y)) return NaN;
    if (x === y) return y;
    if (x === 0) return y > 0 ? Number.MIN_VALUE : -Number.MIN_VALUE;
    const view = new DataView(new ArrayBuffer(8));
    view.setFloat64(0, x);
    view.setBigInt64(0, view.getBigInt64(0) + (x > 0 === y > x ? 1n : -1n));
    return view.getFloat64(0);
  }

  /** A whole number: towards zero; NaN is 0, and what is too large the largest of int64. */
  function toWhole(x) {
    if (Number.isNaN(x)) return 0;
    return Math.trunc(Math.min(Math.max(Number(x), -(2 ** 63)), 2 ** 63));
  }

  /** The nearest whole number; of two the even one. */
  function roundEven(x) {
    const low = Math.floor(x), over = x - low;
    if (over < 0.5 || over !== over) return low;
    if (over > 0.5) return low + 1;
    return low % 2 === 0 ? low : low + 1;
  }

  /** The nearest whole number; of two the larger one in size. */
  function roundAway(x) {
    const size = Math.abs(x), low = Math.floor(size);
    return Math.sign(x) * (size - low >= 0.5 ? low + 1 : low);
  }

  // ---- complex numbers: the last argument says which part is wanted ---------------------------

  /** Smith's division (Communications of the ACM 5, 1962): no overflow on the way. */
  function complexDiv(a, b, c, d, part) {
    if (Math.abs(c) >= Math.abs(d)) {
      const r = d / c, s = c + d * r;
      return part === 0 ? (a + b * r) / s : (b - a * r) / s;
    }
    const r = c / d, s = c * r + d;
    return part === 0 ? (a * r + b) / s : (b * r - a) / s;
  }

  function complexExp(a, b, part) {
    const size = Math.exp(a);
    if (b === 0) return part === 0 ? size : b;
    return size * (part === 0 ? Math.cos(b) : Math.sin(b));
  }

  function complexExpm1(a, b, part) {
    if (part === 1) return Math.exp(a) * Math.sin(b);
    const half = Math.sin(b / 2);
    return Math.expm1(a) * Math.cos(b) - 2 * half * half;
  }

  function complexLog(a, b, part) {
    if (part === 1) return Math.atan2(b, a);
    const x = Math.max(Math.abs(a), Math.abs(b)), y = Math.min(Math.abs(a), Math.abs(b));
    if (x > 0.5 && x < 2) return 0.5 * Math.log1p((x - 1) * (x + 1) + y * y);
    return Math.log(Math.hypot(x, y));
  }

  function complexSqrt(a, b, part) {
    if (a === 0 && b === 0) return part === 0 ? 0 : b;
    const t = Math.sqrt((Math.abs(a) + Math.hypot(a, b)) / 2);
    if (a >= 0) return part === 0 ? t : b / (2 * t);
    if (part === 0) return Math.abs(b) / (2 * t);
    return b < 0 || Object.is(b, -0) ? -t : t;
  }

  function complexIntegerPow(a, b, n, part) {
    let x = 1, y = 0, u = a, v = b;
    for (let k = Math.abs(n); k > 0; k = Math.floor(k / 2)) {
      if (k % 2 === 1) [x, y] = [x * u - y * v, x * v + y * u];
      [u, v] = [u * u - v * v, 2 * u * v];
    }
    return n < 0 ? complexDiv(1, 0, x, y, part) : part === 0 ? x : y;
  }

  // ---- special functions ---------------------------------------------------------------------

  /** Power series of erf with terms of one sign (Abramowitz and Stegun 7.1.6), for small x. */
  function erfSeries(x) {
    let term = x, sum = x;
    for (let n = 1; n < 200 && Math.abs(term) > 1e-17 * Math.abs(sum); n++) {
      term *= (2 * x * x) / (2 * n + 1);
      sum += term;
    }
    return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
  }

  const STEP = 0.5;
  const GAUSS = Array.from({ length: 14 }, (_, k) => Math.exp(-((k * STEP) ** 2)));

  /**
   * erfc of x >= 1/2 as the trapezoidal rule of its integral over the line, with the residue of the
   * pole that the rule passes over (Chiarella and Reichel, Mathematics of Computation 22, 1968).
   */
  function erfcLine(x) {
    const square = x * x;
    let sum = 0.5 / square;
    for (let k = GAUSS.length - 1; k > 0; k--) sum += GAUSS[k] / (square + (k * STEP) ** 2);
    const line = ((2 * STEP * x) / Math.PI) * expSquare(x) * sum;
    return x < Math.PI / STEP ? line - 2 / Math.expm1((2 * Math.PI * x) / STEP) : line;
  }

  /** exp(-x^2), with what rounding takes from the square given back. */
  function expSquare(x) {
    const high = Math.fround(x), low = x - high;
    return Math.exp(-high * high) * Math.exp(-low * (x + high));
  }

  function erf(x) {
    if (Number.isNaN(x)) return NaN;
    const size = Math.abs(x);
    if (size < 1.5) return erfSeries(x);
    return size > 6 ? Math.sign(x) : Math.sign(x) * (1 - erfcLine(size));
  }

  function erfc(x) {
    if (Number.isNaN(x)) return NaN;
    if (x < 0.5) return 1 - erf(x);
    return x > 27.3 ? 0 : erfcLine(x);
  }

  // Coefficients of Stirling's series, B_2k / (2k (2k - 1)): Abramowitz and Stegun 6.1.40.
  const STIRLING = [1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360, 1 / 156];

  /** log Gamma(y) less (y - 1/2) log y - y + log(2 pi) / 2, for y >= 12. */
  function stirling(y) {
    const square = 1 / (y * y);
    let series = 0;
    for (let k = STIRLING.length - 1; k >= 0; k--) series = series * square + STIRLING[k];
    return series / y;
  }

  /** log |Gamma(x)|: Stirling's series from 12 on, products below, reflection below 1/2. */
  function lgamma(x) {
    if (Number.isNaN(x)) return NaN;
    if (Math.abs(x) === Infinity) return Infinity;
    if (x <= 0 && Number.isInteger(x)) return Infinity;
    if (x < 0.5) {
      const turn = Math.abs(Math.sin(Math.PI * (x - Math.round(x))));
      return Math.log(Math.PI / turn) - lgamma(1 - x);
    }
    let product = 1, y = x;
    while (y < 12) product *= y++;
    const main = (y - 0.5) * (Math.log(y) - 1) + (0.5 * Math.log(2 * Math.PI) - 0.5);
    return main + stirling(y) - Math.log(product);
  }

  /** x^a e^-x / Gamma(a + 1); for a large a what cancels in its logarithm is taken out first. */
  function gammaTerm(a, x) {
    if (a >= 12) {
      const off = (x - a) / a, near = Math.abs(off) < 0.5;
      const power = near ? Math.log1p(off) - off : Math.log(x / a) - off;
      return Math.exp(a * power - stirling(a)) / Math.sqrt(2 * Math.PI * a);
    }
    return Math.exp(a * Math.log(x) - x - lgamma(a + 1));
  }

  /** P(a, x) by its power series (Abramowitz and Stegun 6.5.29), for x < a + 1. */
  function gammaSeries(a, x) {
    let term = 1, sum = 1;
    for (let n = 1; n < 100000 && term > 1e-17 * sum; n++) {
      term *= x / (a + n);
      sum += term;
    }
    return gammaTerm(a, x) * sum;
  }

  /** Q(a, x) by its continued fraction (Abramowitz and Stegun 6.5.31), from the front: Lentz. */
  function gammaFraction(a, x) {
    let b = x + 1 - a, c = 1e300, d = 1 / b, h = d;
    for (let n = 1; n < 100000; n++) {
      const an = -n * (n - a);
      b += 2;
      d = 1 / (an * d + b || 1e-300);
      c = b + an / c || 1e-300;
      h *= d * c;
      if (Math.abs(d * c - 1) < 1e-16) break;
    }
    return gammaTerm(a, x) * a * h;
  }

  /** The regularised incomplete gamma function P(a, x), and Q = 1 - P. */
  function igamma(a, x) {
    if (!(x >= 0 && a > 0)) return NaN;
    if (x === 0) return 0;
    if (x === Infinity) return 1;
    return x < a + 1 ? gammaSeries(a, x) : 1 - gammaFraction(a, x);
  }

  function igammac(a, x) {
    if (!(x >= 0 && a > 0)) return NaN;
    if (x === 0) return 1;
    if (x === Infinity) return 0;
    return x < a + 1 ? 1 - gammaSeries(a, x) : gammaFraction(a, x);
  }

  // ---- arrays --------------------------------------------------------------------------------

  const filled = (size, value) => new Float64Array(size).fill(value);

  function strides(shape) {
    const made = new Array(shape.length).fill(1);
    for (let k = shape.length - 2; k >= 0; k--) made[k] = made[k + 1] * shape[k + 1];
    return made;
  }

  const count = (shape) => shape.reduce((a, b) => a * b, 1);

  /** Call visit(number, coordinates) for every element of an array of a shape. */
  function each(shape, visit) {
    const at = new Array(shape.length).fill(0), size = count(shape);
    for (let i = 0; i < size; i++) {
      visit(i, at);
      for (let k = shape.length - 1; k >= 0 && ++at[k] === shape[k]; k--) at[k] = 0;
    }
  }

  /** Where a computed index points to: one offset for each axis of the array. */
  function pointed(how, at, scattered, indexStrides) {
    const start = new Array(how.x.length).fill(0);
    const base = scattered.reduce((sum, c, k) => sum + c * indexStrides[k], 0);
    how.start.forEach((axis, k) => { start[axis] = at[base + k]; });
    how.batch.forEach((axis, k) => { start[axis] = scattered[how.batches[k]]; });
    return start;
  }

  /** XLA's gather; `how` holds its dimension numbers. */
  function gather(x, at, how) {
    const own = strides(how.x), index = strides(how.at), made = new Float64Array(count(how.out));
    const within = how.x.map((_, k) => k).filter((k) => !how.collapsed.includes(k) && !how.batch.includes(k));
    const rest = how.out.map((_, k) => k).filter((k) => !how.offset.includes(k));
    each(how.out, (i, c) => {
      const start = pointed(how, at, rest.map((k) => c[k]), index);
      let place = 0, outside = false;
      start.forEach((s, k) => {
        const last = how.x[k] - how.sizes[k];
        outside = outside || s < 0 || s > last;
        place += Math.min(Math.max(s, 0), last) * own[k];
      });
      how.offset.forEach((k, n) => { place += c[k] * own[within[n]]; });
      made[i] = how.filled && outside ? how.fill : x[place];
    });
    return made;
  }

  /** XLA's scatter, which puts or adds; what points outside is left out. */
  function scatter(x, at, update, how) {
    const own = strides(how.x), index = strides(how.at), made = x.slice();
    const within = how.x.map((_, k) => k).filter((k) => !how.inserted.includes(k) && !how.batch.includes(k));
    const rest = how.update.map((_, k) => k).filter((k) => !how.window.includes(k));
    const sizes = how.x.map(() => 1);
    within.forEach((k, n) => { sizes[k] = how.update[how.window[n]]; });
    each(how.update, (i, c) => {
      const start = pointed(how, at, rest.map((k) => c[k]), index);
      let place = 0;
      for (let k = 0; k < start.length; k++) {
        const last = how.x[k] - sizes[k];
        if (!how.clip && (start[k] < 0 || start[k] > last)) return;
        place += Math.min(Math.max(start[k], 0), last) * own[k];
      }
      how.window.forEach((k, n) => { place += c[k] * own[within[n]]; });
      made[place] = how.add ? made[place] + update[i] : update[i];
    });
    return made;
  }

  /** Lines of an array along one axis: call visit(first place, step, length). */
  function lines(shape, axis, visit) {
    const step = count(shape.slice(axis + 1)), length = shape[axis];
    for (let far = 0; far < count(shape.slice(0, axis)); far++) {
      for (let near = 0; near < step; near++) visit(far * length * step + near, step, length);
    }
  }

  /** Order of numbers as XLA sorts them: NaN last. */
  const order = (a, b) => (a < b ? -1 : a > b ? 1 : Number(a !== a) - Number(b !== b));

  /** Sort arrays of one shape together along an axis, by the first `keys` of them; stable. */
  function sorted(arrays, shape, axis, keys) {
    const made = arrays.map((a) => new Float64Array(a.length));
    lines(shape, axis, (first, step, length) => {
      const places = Array.from({ length }, (_, k) => first + k * step);
      const moved = places.slice().sort((i, j) => {
        for (let k = 0; k < keys; k++) {
          const way = order(arrays[k][i], arrays[k][j]);
          if (way !== 0) return way;
        }
        return i - j;
      });
      made.forEach((m, k) => places.forEach((p, n) => { m[p] = arrays[k][moved[n]]; }));
    });
    return made;
  }

  /** The k largest of every row, and their places. */
  function topK(x, length, k) {
    const rows = x.length / length, values = new Float64Array(rows * k), places = values.slice();
    for (let r = 0; r < rows; r++) {
      const own = x.subarray(r * length, (r + 1) * length);
      const moved = Array.from(own, (_, i) => i).sort((i, j) => order(own[j], own[i]) || i - j);
      for (let n = 0; n < k; n++) {
        values[r * k + n] = own[moved[n]];
        places[r * k + n] = moved[n];
      }
    }
    return [values, places];
  }

  const FOLDS = {
    cumsum: (a, b) => a + b, cumprod: (a, b) => a * b, cummax: Math.max, cummin: Math.min,
  };

  /** Cumulative sums and their like, and the places of extremes, along one axis. */
  function along(x, shape, axis, what, reverse) {
    const fold = FOLDS[what];
    const made = new Float64Array(fold ? x.length : x.length / shape[axis]);
    let line = 0;
    lines(shape, axis, (first, step, length) => {
      if (fold) {
        for (let n = 0; n < length; n++) {
          const k = first + (reverse ? length - 1 - n : n) * step;
          made[k] = n === 0 ? x[k] : fold(made[reverse ? k + step : k - step], x[k]);
        }
        return;
      }
      let best = 0;
      for (let n = 1; n < length; n++) {
        const a = x[first + n * step], b = x[first + best * step];
        if (b === b && (a !== a || (what === "argmax" ? a > b : a < b))) best = n;
      }
      made[line++] = best;
    });
    return made;
  }

  // ---- linear algebra of small matrices, some side by side ------------------------------------

  /** LU with the largest pivot of each column: both factors in one, pivots, order of the rows. */
  function lu(a, rows, columns) {
    const size = rows * columns, many = a.length / size, short = Math.min(rows, columns);
    const made = a.slice(), pivots = new Float64Array(many * short), perm = new Float64Array(many * rows);
    for (let m = 0; m < many; m++) {
      const x = made.subarray(m * size, (m + 1) * size), p = perm.subarray(m * rows, (m + 1) * rows);
      for (let i = 0; i < rows; i++) p[i] = i;
      for (let k = 0; k < short; k++) {
        let best = k;
        for (let i = k + 1; i < rows; i++) {
          if (Math.abs(x[i * columns + k]) > Math.abs(x[best * columns + k])) best = i;
        }
        pivots[m * short + k] = best;
        if (best !== k) {
          for (let j = 0; j < columns; j++) {
            [x[k * columns + j], x[best * columns + j]] = [x[best * columns + j], x[k * columns + j]];
          }
          [p[k], p[best]] = [p[best], p[k]];
        }
        for (let i = k + 1; i < rows; i++) {
          const factor = (x[i * columns + k] /= x[k * columns + k]);
          for (let j = k + 1; j < columns; j++) x[i * columns + j] -= factor * x[k * columns + j];
        }
      }
    }
    return [made, pivots, perm];
  }

  /** Solve op(a) x = b, or x op(a) = b from the right, with a triangle of a. */
  function triangularSolve(a, b, shape, [left, lower, transpose, unit]) {
    const [rows, columns] = shape, n = left ? rows : columns, lines = left ? columns : rows;
    const made = b.slice(), many = b.length / (rows * columns);
    const turned = Boolean(transpose) !== !left;  // x A = b is A^T x^T = b^T
    const forward = Boolean(lower) !== turned;
    for (let m = 0; m < many; m++) {
      const x = made.subarray(m * rows * columns, (m + 1) * rows * columns);
      const t = a.subarray(m * n * n, (m + 1) * n * n);
      for (let c = 0; c < lines; c++) {
        const at = left ? (i) => i * columns + c : (i) => c * columns + i;
        for (let step = 0; step < n; step++) {
          const i = forward ? step : n - 1 - step;
          let sum = x[at(i)];
          for (let other = 0; other < step; other++) {
            const j = forward ? other : n - 1 - other;
            sum -= (turned ? t[j * n + i] : t[i * n + j]) * x[at(j)];
          }
          x[at(i)] = unit ? sum : sum / t[i * n + i];
        }
      }
    }
    return made;
  }

  /** The lower triangle whose square a matrix is, NaN for one that is not positive. */
  function cholesky(a, n) {
    const made = new Float64Array(a.length);
    for (let m = 0; m < a.length; m += n * n) {
      let good = true;
      for (let j = 0; j < n; j++) {
        for (let i = j; i < n; i++) {
          let sum = a[m + i * n + j];
          for (let k = 0; k < j; k++) sum -= made[m + i * n + k] * made[m + j * n + k];
          if (i === j && !(sum > 0)) good = false;
          made[m + i * n + j] = i === j ? Math.sqrt(sum) : sum / made[m + j * n + j];
        }
      }
      if (!good) made.fill(NaN, m, m + n * n);
    }
    return made;
  }

  /** Vectors (columns) and values, ascending, of symmetric matrices: Jacobi's rotations, cyclic. */
  function eigh(a, n) {
    const many = a.length / (n * n), vectors = new Float64Array(a.length);
    const values = new Float64Array(many * n);
    for (let m = 0; m < many; m++) {
      const x = a.slice(m * n * n, (m + 1) * n * n), v = new Float64Array(n * n);
      for (let i = 0; i < n; i++) v[i * n + i] = 1;
      for (let sweep = 0; sweep < 60; sweep++) {
        let turned = false;
        for (let p = 0; p < n; p++) {
          for (let q = p + 1; q < n; q++) turned = rotate(x, v, n, p, q) || turned;
        }
        if (!turned) break;
      }
      const moved = Array.from({ length: n }, (_, i) => i).sort((i, j) => order(x[i * n + i], x[j * n + j]));
      moved.forEach((from, to) => {
        values[m * n + to] = x[from * n + from];
        for (let i = 0; i < n; i++) vectors[m * n * n + i * n + to] = v[from * n + i];
      });
    }
    return [vectors, values];
  }

  /** Turn the plane of p and q so that x[p, q] vanishes; say whether it was worth it. */
  function rotate(x, v, n, p, q) {
    const off = x[p * n + q], low = x[p * n + p], high = x[q * n + q];
    if (!(Math.abs(off) > 1e-17 * Math.sqrt(Math.abs(low * high)) && Math.abs(off) > 1e-300)) return false;
    const ratio = (high - low) / (2 * off);
    const t = (ratio >= 0 ? 1 : -1) / (Math.abs(ratio) + Math.hypot(1, ratio));
    const c = 1 / Math.hypot(1, t), s = t * c;
    for (let k = 0; k < n; k++) {
      const a = x[k * n + p], b = x[k * n + q];
      x[k * n + p] = c * a - s * b;
      x[k * n + q] = s * a + c * b;
    }
    for (let k = 0; k < n; k++) {
      const a = x[p * n + k], b = x[q * n + k];
      x[p * n + k] = c * a - s * b;
      x[q * n + k] = s * a + c * b;
      const d = v[p * n + k], e = v[q * n + k];
      v[p * n + k] = c * d - s * e;
      v[q * n + k] = s * d + c * e;
    }
    x[p * n + q] = x[q * n + p] = 0;
    return true;
  }

  return {
    pow, integerPow, bits, nextafter, toWhole, roundEven, roundAway,
    complexDiv, complexExp, complexExpm1, complexLog, complexSqrt, complexIntegerPow,
    erf, erfc, lgamma, igamma, igammac,
    filled, gather, scatter, sorted, topK, along, lu, triangularSolve, cholesky, eigh,
  };
})();
