export default { files: ['test/dist/**/*.test.js', '!test/dist/lab/**'], timeout: '3m' };
