/** The tests that need the lab: one file after the other, since they share its guests. */
export default { files: ['test/dist/lab/**/*.test.js'], timeout: '5m', concurrency: 1 };
