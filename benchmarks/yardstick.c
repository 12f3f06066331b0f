/* What a program in C for one network takes: the yardstick for the compiled path of `kbe`.

   The variance network of the paper (8 bits, three convolutions of three channels and three taps, zero padding, ELU,
   two sigmoid heads), the mean Gaussian negative log-likelihood, full-batch gradient descent. Eight members lie side by
   side as the lanes of a vector. All sizes but the numbers of points, windows and members are constants of the program,
   and the compiler may fuse and reorder sums: `kbe` does neither, to give the same bits on every processor.

   The weights have the order of `module.parameters()`. Two ways to the same numbers: `plain` takes every point by
   itself, `distinct` computes each distinct window once, from the tables of `kbe.windows.merged_graph`. */

#include <stdint.h>
#include <string.h>

enum { LANES = 8, BITS = 8, CHANNELS = 3, TAPS = 3, LAYERS = 3, HEADS = 2, HALF = BITS / 2, WIDE = BITS + 2 };
enum { FIRST = CHANNELS * (TAPS + 1), LAYER = CHANNELS * (CHANNELS * TAPS + 1), HEAD = CHANNELS * BITS + 1 };
enum { HEADS_AT = FIRST + 2 * LAYER, WEIGHTS = HEADS_AT + HEADS * HEAD };

typedef double lanes __attribute__((vector_size(8 * LANES)));
typedef int64_t whole __attribute__((vector_size(8 * LANES)));

#define inlined static inline __attribute__((always_inline))

inlined lanes where(whole mask, lanes yes, lanes no) { return (lanes)((mask & (whole)yes) | (~mask & (whole)no)); }

/* exp(z) to rounding for |z| < 700: z = k log 2 + r, a polynomial for exp(r), and 2^k in the bits of the exponent. */
inlined lanes exponential(lanes z) {
    const double magic = 6755399441055744.0;
    z = where(z < -700.0, (lanes){} - 700.0, z);
    lanes shifted = z * 1.4426950408889634 + magic, k = shifted - magic;
    lanes r = z - k * 0.693147180369123816490 - k * 1.90821492927058770002e-10, r2 = r * r, r4 = r2 * r2;
    lanes low = (r * (1 / 6.0) + 0.5) + r2 * (r * (1 / 120.0) + 1 / 24.0);
    lanes high = (r * (1 / 5040.0) + 1 / 720.0) + r2 * (r * (1 / 362880.0) + 1 / 40320.0);
    lanes top = (r * (1 / 39916800.0) + 1 / 3628800.0) + r2 * (1 / 479001600.0);
    lanes p = low + r4 * (high + r4 * top);
    return (r2 * p + r + 1.0) * (lanes)(((whole)shifted + (1023 - 0x4338000000000000)) << 52);
}

inlined lanes elu(lanes z) { return where(z > 0.0, z, exponential(z) - 1.0); }
inlined lanes elu_slope(lanes value) { return where(value > 0.0, (lanes){} + 1.0, value + 1.0); }
inlined lanes sigmoid(lanes z) { return 1.0 / (1.0 + exponential(-z)); }

/* The slopes of the loss of a point in what the two sigmoids take. */
inlined void loss_slopes(lanes mu, lanes sigma, lanes y, lanes share, lanes *in_mean, lanes *in_deviation) {
    lanes inverse = 1.0 / sigma, scaled = (mu - y) * inverse;
    *in_mean = share * scaled * inverse * mu * (1.0 - mu);
    *in_deviation = share * (1.0 - scaled * scaled) * (1.0 - sigma);
}

/* --- every point by itself; a place on either side of the string is zero, the padding */

typedef lanes row[WIDE];

inlined void convolve(int inputs, const lanes *w, const row *below, row *above) {
    for (int start = 1; start <= BITS; start += HALF) {
        lanes z[CHANNELS][HALF];
        for (int k = 0; k < CHANNELS; k++)
            for (int p = 0; p < HALF; p++) z[k][p] = w[CHANNELS * inputs * TAPS + k];
        for (int j = 0; j < inputs; j++)
            for (int tap = 0; tap < TAPS; tap++)
                for (int k = 0; k < CHANNELS; k++)
                    for (int p = 0; p < HALF; p++)
                        z[k][p] += w[(k * inputs + j) * TAPS + tap] * below[j][start + p + tap - 1];
        for (int k = 0; k < CHANNELS; k++)
            for (int p = 0; p < HALF; p++) above[k][start + p] = elu(z[k][p]);
    }
}

/* From slopes in the layer's sums to its gradient. */
inlined void weight_slopes(int inputs, const row *below, const row *s, lanes *g) {
    for (int j = 0; j < inputs; j++) {
        lanes sum[CHANNELS][TAPS];
        for (int k = 0; k < CHANNELS; k++)
            for (int tap = 0; tap < TAPS; tap++) sum[k][tap] = g[(k * inputs + j) * TAPS + tap];
        for (int p = 1; p <= BITS; p++)
            for (int k = 0; k < CHANNELS; k++)
                for (int tap = 0; tap < TAPS; tap++) sum[k][tap] += s[k][p] * below[j][p + tap - 1];
        for (int k = 0; k < CHANNELS; k++)
            for (int tap = 0; tap < TAPS; tap++) g[(k * inputs + j) * TAPS + tap] = sum[k][tap];
    }
    for (int k = 0; k < CHANNELS; k++) {
        lanes sum = g[CHANNELS * inputs * TAPS + k];
        for (int p = 1; p <= BITS; p++) sum += s[k][p];
        g[CHANNELS * inputs * TAPS + k] = sum;
    }
}

/* From slopes in the layer's sums to slopes in the sums of the layer below. */
inlined void input_slopes(const lanes *w, const row *s, const row *below, row *back) {
    for (int start = 1; start <= BITS; start += HALF) {
        lanes sum[CHANNELS][HALF] = {};
        for (int k = 0; k < CHANNELS; k++)
            for (int tap = 0; tap < TAPS; tap++)
                for (int j = 0; j < CHANNELS; j++)
                    for (int p = 0; p < HALF; p++)
                        sum[j][p] += w[(k * CHANNELS + j) * TAPS + tap] * s[k][start + p + 1 - tap];
        for (int j = 0; j < CHANNELS; j++)
            for (int p = 0; p < HALF; p++) back[j][start + p] = sum[j][p] * elu_slope(below[j][start + p]);
    }
}

static void point(const lanes *w, const lanes *x, lanes y, lanes share, lanes *g) {
    row h[LAYERS + 1][CHANNELS], s[LAYERS][CHANNELS];
    for (int k = 0; k < CHANNELS; k++)
        for (int layer = 0; layer < LAYERS; layer++)
            h[layer][k][0] = h[layer][k][WIDE - 1] = s[layer][k][0] = s[layer][k][WIDE - 1] = (lanes){};
    memcpy(&h[0][0][1], x, BITS * sizeof *x);
    convolve(1, w, h[0], h[1]);
    convolve(CHANNELS, w + FIRST, h[1], h[2]);
    convolve(CHANNELS, w + FIRST + LAYER, h[2], h[3]);
    const lanes *a = w + HEADS_AT, *b = a + HEAD;
    lanes mean = a[HEAD - 1], deviation = b[HEAD - 1], *ga = g + HEADS_AT, *gb = ga + HEAD;
    for (int k = 0; k < CHANNELS; k++)
        for (int p = 0; p < BITS; p++) {
            mean += a[k * BITS + p] * h[3][k][p + 1];
            deviation += b[k * BITS + p] * h[3][k][p + 1];
        }
    loss_slopes(sigmoid(mean), sigmoid(deviation), y, share, &mean, &deviation);
    for (int k = 0; k < CHANNELS; k++)
        for (int p = 0; p < BITS; p++) {
            lanes value = h[3][k][p + 1];
            ga[k * BITS + p] += mean * value;
            gb[k * BITS + p] += deviation * value;
            s[2][k][p + 1] = (mean * a[k * BITS + p] + deviation * b[k * BITS + p]) * elu_slope(value);
        }
    ga[HEAD - 1] += mean, gb[HEAD - 1] += deviation;
    weight_slopes(CHANNELS, h[2], s[2], g + FIRST + LAYER);
    input_slopes(w + FIRST + LAYER, s[2], h[2], s[1]);
    weight_slopes(CHANNELS, h[1], s[1], g + FIRST);
    input_slopes(w + FIRST, s[1], h[1], s[0]);
    weight_slopes(1, h[0], s[0], g);
}

inlined void step(lanes *w, const lanes *g, double rate) {
    for (int i = 0; i < WEIGHTS; i++) w[i] -= rate * g[i];
}

/* x (blocks, points, 8, lanes), y (blocks, points, lanes), w (blocks, weights, lanes). */
void plain(int64_t blocks, int64_t points, int64_t epochs, double rate, const lanes *x, const lanes *y, lanes *w) {
    for (int64_t block = 0; block < blocks; block++, x += points * BITS, y += points, w += WEIGHTS)
        for (int64_t epoch = 0; epoch < epochs; epoch++) {
            lanes g[WEIGHTS] = {};
            for (int64_t i = 0; i < points; i++) point(w, x + i * BITS, y[i], (lanes){} + 1.0 / points, g);
            step(w, g, rate);
        }
}

/* --- each distinct window once */

typedef struct {
    int64_t units[LAYERS + 1], pairs, sums, rows;
    const int64_t *parents[LAYERS], *pair, *sum, *row; /* two columns: position and unit, or two nodes */
} tables;

inlined void convolve_units(int inputs, const lanes *w, int64_t units, const int64_t *parents, const lanes *below,
                            lanes *above) {
    for (int64_t u = 0; u < units; u++, parents += TAPS) {
        lanes z[CHANNELS];
        for (int k = 0; k < CHANNELS; k++) z[k] = w[CHANNELS * inputs * TAPS + k];
        for (int tap = 0; tap < TAPS; tap++)
            for (int j = 0; j < inputs; j++)
                for (int k = 0; k < CHANNELS; k++)
                    z[k] += w[(k * inputs + j) * TAPS + tap] * below[parents[tap] * inputs + j];
        for (int k = 0; k < CHANNELS; k++) above[u * CHANNELS + k] = elu(z[k]);
    }
}

/* From slopes in the layer's values to its gradient and, unless it is the first, slopes in the values below. */
inlined void back_units(int inputs, const lanes *w, int64_t units, const int64_t *parents, const lanes *below,
                        const lanes *above, lanes *s, lanes *back, lanes *g) {
    lanes bias[CHANNELS] = {};
    for (int64_t u = 0; u < units; u++)
        for (int k = 0; k < CHANNELS; k++) bias[k] += s[u * CHANNELS + k] *= elu_slope(above[u * CHANNELS + k]);
    for (int k = 0; k < CHANNELS; k++) g[CHANNELS * inputs * TAPS + k] = bias[k];
    for (int tap = 0; tap < TAPS; tap++) {
        lanes sum[CHANNELS][CHANNELS] = {}, v[CHANNELS][CHANNELS];
        for (int k = 0; k < CHANNELS; k++)
            for (int j = 0; j < inputs; j++) v[k][j] = w[(k * inputs + j) * TAPS + tap];
        for (int64_t u = 0; u < units; u++) {
            int64_t source = parents[u * TAPS + tap] * inputs;
            for (int j = 0; j < inputs; j++) {
                lanes total = back ? back[source + j] : (lanes){};
                for (int k = 0; k < CHANNELS; k++) {
                    sum[k][j] += s[u * CHANNELS + k] * below[source + j];
                    total += s[u * CHANNELS + k] * v[k][j];
                }
                if (back) back[source + j] = total;
            }
        }
        for (int k = 0; k < CHANNELS; k++)
            for (int j = 0; j < inputs; j++) g[(k * inputs + j) * TAPS + tap] = sum[k][j];
    }
}

/* The heads on all rows, forward and back: what each position adds, a tree of sums, the loss, and down the tree. */
inlined void heads(const tables *t, const lanes *w, const lanes *h, const lanes *y, const lanes *share, lanes *node,
                   lanes *slope, lanes *s, lanes *g) {
    const lanes *a = w + HEADS_AT, *b = a + HEAD;
    lanes *ga = g + HEADS_AT, *gb = ga + HEAD, bias[HEADS] = {};
    for (int64_t i = 0; i < t->pairs; i++) {
        int64_t p = t->pair[2 * i];
        const lanes *value = h + t->pair[2 * i + 1] * CHANNELS;
        lanes mean = {}, deviation = {};
        for (int k = 0; k < CHANNELS; k++) mean += a[k * BITS + p] * value[k], deviation += b[k * BITS + p] * value[k];
        node[2 * i] = mean, node[2 * i + 1] = deviation;
    }
    for (int64_t i = 0; i < t->sums; i++)
        for (int head = 0; head < HEADS; head++)
            node[2 * (t->pairs + i) + head] = node[2 * t->sum[2 * i] + head] + node[2 * t->sum[2 * i + 1] + head];
    memset(slope, 0, 2 * (t->pairs + t->sums) * sizeof *slope);
    for (int64_t i = 0; i < t->rows; i++) {
        int64_t left = 2 * t->row[2 * i], right = 2 * t->row[2 * i + 1];
        lanes mu = sigmoid(node[left] + node[right] + a[HEAD - 1]), in_mean, in_deviation;
        lanes sigma = sigmoid(node[left + 1] + node[right + 1] + b[HEAD - 1]);
        loss_slopes(mu, sigma, y[i], share[i], &in_mean, &in_deviation);
        bias[0] += in_mean, bias[1] += in_deviation;
        slope[left] += in_mean, slope[left + 1] += in_deviation;
        slope[right] += in_mean, slope[right + 1] += in_deviation;
    }
    ga[HEAD - 1] = bias[0], gb[HEAD - 1] = bias[1];
    for (int64_t i = t->sums - 1; i >= 0; i--)
        for (int end = 0; end < 2; end++)
            for (int head = 0; head < HEADS; head++)
                slope[2 * t->sum[2 * i + end] + head] += slope[2 * (t->pairs + i) + head];
    for (int64_t i = 0; i < t->pairs; i++) {
        int64_t p = t->pair[2 * i], unit = t->pair[2 * i + 1] * CHANNELS;
        for (int k = 0; k < CHANNELS; k++) {
            ga[k * BITS + p] += slope[2 * i] * h[unit + k];
            gb[k * BITS + p] += slope[2 * i + 1] * h[unit + k];
            s[unit + k] += slope[2 * i] * a[k * BITS + p] + slope[2 * i + 1] * b[k * BITS + p];
        }
    }
}

/* y and share (blocks, rows, lanes), share being 1 / N or 0; room: where to work. */
void distinct(int64_t blocks, const tables *t, int64_t epochs, double rate, const lanes *values, const lanes *y,
              const lanes *share, lanes *room, lanes *w) {
    int64_t size[LAYERS];
    for (int layer = 0; layer < LAYERS; layer++) size[layer] = (t->units[layer + 1] + 1) * CHANNELS;
    int64_t all = size[0] + size[1] + size[2], nodes = 2 * (t->pairs + t->sums);
    lanes *h1 = room, *h2 = h1 + size[0], *h3 = h2 + size[1], *s1 = h1 + all, *s2 = s1 + size[0], *s3 = s2 + size[1];
    lanes *node = s1 + all, *slope = node + nodes;
    for (int64_t block = 0; block < blocks; block++, y += t->rows, share += t->rows, w += WEIGHTS)
        for (int64_t epoch = 0; epoch < epochs; epoch++) {
            lanes g[WEIGHTS] = {};
            const lanes *w2 = w + FIRST, *w3 = w2 + LAYER;
            convolve_units(1, w, t->units[1], t->parents[0], values, h1);
            convolve_units(CHANNELS, w2, t->units[2], t->parents[1], h1, h2);
            convolve_units(CHANNELS, w3, t->units[3], t->parents[2], h2, h3);
            memset(s1, 0, all * sizeof *s1);
            heads(t, w, h3, y, share, node, slope, s3, g);
            back_units(CHANNELS, w3, t->units[3], t->parents[2], h2, h3, s3, s2, g + FIRST + LAYER);
            back_units(CHANNELS, w2, t->units[2], t->parents[1], h1, h2, s2, s1, g + FIRST);
            back_units(1, w, t->units[1], t->parents[0], values, h1, s1, NULL, g);
            step(w, g, rate);
        }
}
