/** For authors of exporters: what every exporter over iSCSI, and most others, would otherwise write again. */
export { defaultTargetIds, type TargetIds } from './default-target-ids.js';
export { ensureEach } from './ensure-each.js';
export { ExportTurns } from './export-turns.js';
export { type InspectionTools, inspectVolume } from './inspect-volume.js';
export { IscsiNames } from './iscsi-names.js';
export { iscsiSchemas } from './iscsi-schemas.js';
export { requireExportId } from './require-export-id.js';
