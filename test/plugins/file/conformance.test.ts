import { fileIo } from '../../conformance/file-io.js';
import { volumeBackendConformance } from '@vbs/conformance';
import filePlugin from '@vbs/plugin-file';
import test from 'ava';

volumeBackendConformance(test, filePlugin, { config: (directory) => ({ directory }), io: fileIo });
