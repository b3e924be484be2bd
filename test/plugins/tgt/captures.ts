/** Captured from tgt 1.0.85 (`tgtadm --op show --mode target`): a connected target with an account, and a revoked one. */
export const shownTargets = `Target 123456789: iqn.2009-11.edu.iu.vbs:01234567:exp-00000000000000001
    System information:
        Driver: iscsi
        State: ready
    I_T nexus information:
        I_T nexus: 9
            Initiator: iqn.2010-11.libiscsi:iscsi-perf alias: none
            Connection: 0
                IP Address: 127.0.0.1
    LUN information:
        LUN: 0
            Type: controller
            SCSI ID: IET     75bcd150000
            SCSI SN: beaf1234567890
            Size: 0 MB, Block size: 1
            Online: Yes
            Removable media: No
            Prevent removal: No
            Readonly: No
            SWP: No
            Thin-provisioning: No
            Backing store type: null
            Backing store path: None
            Backing store flags: 
        LUN: 1
            Type: disk
            SCSI ID: vol00000000000000001
            SCSI SN: vol00000000000000001
            Size: 105 MB, Block size: 512
            Online: Yes
            Removable media: No
            Prevent removal: No
            Readonly: Yes
            SWP: No
            Thin-provisioning: No
            Backing store type: rdwr
            Backing store path: /dev/vg0/with space 
            Backing store flags: sync
    Account information:
        exp-00000000000000001
    ACL information:
        iqn.2009-11.org.example:node1
        127.0.0.1
Target 2: iqn.2026-11.lab:vol1
    System information:
        Driver: iscsi
        State: offline
    I_T nexus information:
    LUN information:
        LUN: 0
            Type: controller
            SCSI ID: IET     00020000
            SCSI SN: beaf20
            Size: 0 MB, Block size: 1
            Online: Yes
            Removable media: No
            Prevent removal: No
            Readonly: No
            SWP: No
            Thin-provisioning: No
            Backing store type: null
            Backing store path: None
            Backing store flags: 
    Account information:
    ACL information:
`;

export const shownStatistics = `tgt lun sid rd_subm(bytes,cmds) rd_done(bytes,cmds) wr_subm(bytes,cmds) wr_done(bytes,cmds) errs
123456789   1  13          749      9          749      9    166133760   2535    148701184   2269    1
123456789   1  14          749     10          749      9            0      0            0      0    3
`;
